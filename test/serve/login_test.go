package serve_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/provider/providertest"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/server/servertest"
)

// named is what the host is called by where people log in.
const named = "ambit.example.org"

// A browser asks one host by that name, wherever it listens.
type browser struct {
	client  *http.Client
	address string
	cookies map[string]string
}

func newBrowser(t *testing.T, address string) *browser {
	t.Helper()
	// Whose certificate it is, TestPortCertificate looks at.
	next := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(next.CloseIdleConnections)
	return &browser{&http.Client{Transport: next, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, address, map[string]string{}}
}

// send sends what a page of the host sends.
func (b *browser) send(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+b.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = named
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Ambit", "1")
	if method == http.MethodPost {
		r.Header.Set("Origin", "https://"+named)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	a, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	for _, c := range a.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// enter logs in by the provider, and returns the status of what came of it.
func (b *browser) enter(t *testing.T, p *providertest.Provider) (int, string) {
	t.Helper()
	var m struct{ URL string }
	until(t, "the provider is not known", func() bool {
		code, text := b.send(t, http.MethodPost, "/login/oidc", "{}")
		return code == http.StatusOK && json.Unmarshal([]byte(text), &m) == nil
	})
	there := *p.Server.Client()
	there.CheckRedirect = b.client.CheckRedirect
	a, err := there.Get(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	back, err := a.Location()
	if err != nil {
		t.Fatalf("the provider answers %d: %v", a.StatusCode, err)
	}
	return b.send(t, http.MethodGet, back.RequestURI(), "")
}

// byProvider starts a host whose people log in by a provider.
func byProvider(t *testing.T) (*servertest.Host, string, *providertest.Provider) {
	t.Helper()
	p := providertest.Start("https://"+named+provider.CallbackPath, time.Now)
	t.Cleanup(p.Server.Close)
	dir := t.TempDir()
	if _, _, err := p.Files(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "serve.json")
	text := fmt.Sprintf(`{"login": {"name": "Example", "issuer": %q, "client": %q, "redirect": %q, "secret_file": "client.secret", "ca": "ca.pem",
		"rules": [{"claim": "groups", "has": "acme-operators", "role": "operator", "org": "acme"}, {"claim": "groups", "has": "beta", "role": "admin", "org": "beta"}],}}`,
		p.Server.URL, providertest.Client, p.Redirect)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h, address := listening(t, "--listen", "127.0.0.1:0", "--config", path)
	return h, address, p
}

// Who logs in by a provider has the role and the organisation of their rule in a real
// host: what they start is theirs, and stands in the log by who they are. Whom no rule
// knows is not let in.
func TestLoginByProvider(t *testing.T) {
	t.Parallel()
	h, address, p := byProvider(t)
	is := func(name string, groups ...string) *browser {
		p.Is(func(c providertest.Claims) {
			c.Set("sub", "sub-of-"+name)
			c.Set("preferred_username", name)
			c.Set("groups", groups)
		})
		return newBrowser(t, address)
	}
	ada, eve, nobody := is("ada", "acme-operators"), (*browser)(nil), (*browser)(nil)
	if code, text := ada.enter(t, p); code != http.StatusSeeOther {
		t.Fatalf("a login is answered %d %s", code, text)
	}
	eve = is("eve", "beta")
	if code, text := eve.enter(t, p); code != http.StatusSeeOther {
		t.Fatalf("a login is answered %d %s", code, text)
	}
	nobody = is("mallory", "acme", "operators")
	if code, text := nobody.enter(t, p); code != http.StatusForbidden || !strings.Contains(text, "has no role here") || nobody.cookies[port.CookieName] != "" {
		t.Errorf("who has no role is answered %d %s", code, text)
	}
	if code, text := ada.send(t, http.MethodGet, "/me", ""); code != http.StatusOK || !strings.Contains(text, `"name":"ada","role":"operator","org":"acme"`) {
		t.Errorf("ada is %d %s", code, text)
	}
	const sessions = "/ambit.v1.SessionService/"
	code, text := ada.send(t, http.MethodPost, sessions+"CreateSession", `{"argv":["true"]}`)
	var made told
	if err := json.Unmarshal([]byte(text), &made); code != http.StatusOK || err != nil {
		t.Fatalf("a session is answered %d %s", code, text)
	}
	id := `{"id":"` + made.Session.ID + `"}`
	if code, text := ada.send(t, http.MethodPost, sessions+"GetSession", id); code != http.StatusOK {
		t.Errorf("to ada her session is %d %s", code, text)
	}
	if code, text := eve.send(t, http.MethodPost, sessions+"GetSession", id); code != http.StatusNotFound {
		t.Errorf("to another organisation it is %d %s", code, text)
	}
	if code, text := ada.send(t, http.MethodPost, "/ambit.v1.GrantService/AddGrants", `{"verdict":"VERDICT_ALLOW","capabilities":["fs.read:/none"]}`); code != http.StatusForbidden {
		t.Errorf("an operator who grants is answered %d %s", code, text)
	}
	out, err := h.Command("audit", "ls", "--kind", "api.call").Output()
	if err != nil || !strings.Contains(string(out), "by login ada (sub-of-ada) of acme, operator: SessionService/CreateSession true") {
		t.Errorf("the log says %v\n%s", err, out)
	}
	stolen := newBrowser(t, address)
	stolen.cookies[port.CookieName] = ada.cookies[port.CookieName]
	if code, _ := ada.send(t, http.MethodPost, "/logout", "{}"); code != http.StatusNoContent {
		t.Errorf("a logout is answered %d", code)
	}
	if code, text := stolen.send(t, http.MethodGet, "/me", ""); code != http.StatusUnauthorized {
		t.Errorf("a cookie that was copied, after the logout, is %d %s", code, text)
	}
	if strings.Contains(h.Said(), providertest.Secret) {
		t.Error("the host says the client's secret")
	}
}

// A configuration that makes no sense, or that others may write, starts no host.
func TestLoginArguments(t *testing.T) {
	t.Parallel()
	h, _, _ := byProvider(t)
	path := filepath.Join(t.TempDir(), "serve.json")
	for text, words := range map[string]string{`{}`: "login", `{"login": {"issuer": "http://x"}}`: "issuer", `{"login": {"isuer": "x"}}`: "isuer"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := h.Command("serve", "--listen", "127.0.0.1:0", "--config", path)
		cmd.Env = append(cmd.Env, "AMBIT_STATE_DIR="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), words) {
			t.Errorf("%s: %v %s", text, err, out)
		}
	}
	if out, err := h.Command("serve", "--config", path).CombinedOutput(); err == nil || !strings.Contains(string(out), "add --listen") {
		t.Errorf("without a port: %v %s", err, out)
	}
}
