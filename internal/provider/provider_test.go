package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/provider/providertest"
)

const redirect = "https://ambit.example.org" + provider.CallbackPath

var roles = []string{"viewer", "operator", "admin"}

func load(path string) (provider.Config, error) {
	return provider.Load(path, roles, func(org string) error {
		if org == "acme" {
			return nil
		}
		return errors.New("no such organisation")
	})
}

// configured is a configuration for a provider, with what else stands in it.
func configured(t *testing.T, p *providertest.Provider, more string) (path string) {
	t.Helper()
	dir := t.TempDir()
	ca, secret, err := p.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(more, `"rules"`) {
		more += `"rules": [{"claim": "sub", "is": "u-1", "role": "viewer"}],`
	}
	path = filepath.Join(dir, "serve.json")
	text := fmt.Sprintf("{\"login\": { // who may\n\"issuer\": %q, \"client\": %q, \"secret_file\": %q, \"redirect\": %q, %s \"ca\": %q,}}",
		p.Server.URL, providertest.Client, filepath.Base(secret), redirect, more, filepath.Base(ca))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// begun starts a provider, and its client, which is running.
func begun(t *testing.T, more string) (*providertest.Provider, *provider.Provider) {
	t.Helper()
	p := providertest.Start(redirect, time.Now)
	t.Cleanup(p.Server.Close)
	c := client(t, p, more)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, _, err := c.Begin(); err == nil {
			return p, c
		}
	}
	t.Fatal("the provider is not known")
	return nil, nil
}

func client(t *testing.T, p *providertest.Provider, more string) *provider.Provider {
	t.Helper()
	cfg, err := load(configured(t, p, more))
	if err != nil {
		t.Fatal(err)
	}
	c, err := provider.New(cfg, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// enter logs in.
func enter(t *testing.T, p *providertest.Provider, c *provider.Provider) (provider.Person, error) {
	t.Helper()
	a, there, err := c.Begin()
	if err != nil {
		t.Fatal(err)
	}
	browser := *p.Server.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := browser.Get(there)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	back, err := r.Location()
	if err != nil {
		t.Fatal(err)
	}
	return c.Finish(t.Context(), a, back.Query())
}

// Who somebody is, the first rule says that holds; whom none holds of, or of whom it
// cannot be told, is nobody.
func TestRules(t *testing.T) {
	t.Parallel()
	p, c := begun(t, `"rules": [{"claim": "groups", "has": "admins", "role": "admin"}, {"claim": "groups", "has": "people", "role": "viewer"},
		{"claim": "hd", "is": "example.org", "role": "viewer"}, {"claim": "email", "is": "ada@example.org", "role": "operator", "org": "acme"}],`)
	for what, tc := range map[string]struct{ claims, role, words string }{
		"a group":                             {`{"groups":["x","people"]}`, "viewer", ""},
		"two groups":                          {`{"groups":["people","admins"]}`, "admin", ""},
		"a claim that is a text":              {`{"hd":"example.org"}`, "viewer", ""},
		"an address of theirs":                {`{"email":"ada@example.org","email_verified":true}`, "operator", ""},
		"nothing":                             {`{}`, "", "has no role here"},
		"another group":                       {`{"groups":["admins-of-nothing"]}`, "", "has no role here"},
		"a group that a text is":              {`{"groups":"admins"}`, "", "is no list"},
		"a group that is in a text":           {`{"groups":"people,admins"}`, "", "is no list"},
		"a group of another spelling":         {`{"groups":["Admins"," admins","admins "]}`, "", "has no role here"},
		"a list with something else":          {`{"groups":["admins",{"a":1}]}`, "", "is no list"},
		"a list with null":                    {`{"groups":["admins",null]}`, "", "is no list"},
		"a list in a list":                    {`{"groups":[["admins"]]}`, "", "is no list"},
		"names of groups as keys":             {`{"groups":{"admins":true}}`, "", "is no list"},
		"null":                                {`{"groups":null}`, "", "is no list"},
		"a claim of another spelling":         {`{"Groups":["admins"]}`, "", "has no role here"},
		"a text that is a list":               {`{"hd":["example.org"]}`, "", "is no text"},
		"an address that nobody verified":     {`{"email":"ada@example.org"}`, "", "has no role here"},
		"an address that is said not to be":   {`{"email":"ada@example.org","email_verified":false}`, "", "has no role here"},
		"an address that is verified in word": {`{"email":"ada@example.org","email_verified":"true"}`, "", "has no role here"},
	} {
		var claims map[string]json.RawMessage
		if err := json.Unmarshal([]byte(tc.claims), &claims); err != nil {
			t.Fatal(err)
		}
		p.Lie(providertest.Lies{Claims: func(c providertest.Claims) {
			maps.Copy(c, claims)
		}})
		who, err := enter(t, p, c)
		if who.Role != tc.role || who.Org != map[string]string{"operator": "acme"}[tc.role] || (err == nil) != (tc.words == "") || err != nil && !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: %+v %v", what, who, err)
		}
	}
}

// A token that is not this provider's, for this client, for this attempt and good now is
// refused, each beside one that is.
func TestToken(t *testing.T) {
	t.Parallel()
	p, c := begun(t, `"audiences": ["api"],`)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(providertest.JWK(&other.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, v any) func(providertest.Claims) {
		return func(c providertest.Claims) { c.Set(name, v) }
	}
	now := time.Now()
	for what, l := range map[string]providertest.Lies{
		"another client":             {Claims: set("aud", "other")},
		"two clients":                {Claims: func(c providertest.Claims) { c.Set("aud", []string{"ambit", "other"}); c.Set("azp", "ambit") }},
		"given to another client":    {Claims: func(c providertest.Claims) { c.Set("aud", []string{"ambit", "api"}); c.Set("azp", "api") }},
		"given to nobody of two":     {Claims: func(c providertest.Claims) { c.Set("aud", []string{"ambit", "api"}) }},
		"no client":                  {Claims: func(c providertest.Claims) { delete(c, "aud") }},
		"another issuer":             {Claims: set("iss", "https://evil.example")},
		"the issuer with a slash":    {Claims: set("iss", p.Server.URL+"/")},
		"over":                       {Claims: set("exp", now.Add(-time.Second).Unix())},
		"without an end":             {Claims: func(c providertest.Claims) { delete(c, "exp") }},
		"made long before":           {Claims: set("iat", now.Add(-5*time.Minute).Unix())},
		"made later":                 {Claims: set("iat", now.Add(5*time.Minute).Unix())},
		"without when it was made":   {Claims: func(c providertest.Claims) { delete(c, "iat") }},
		"good later":                 {Claims: set("nbf", now.Add(time.Hour).Unix())},
		"of another attempt":         {Claims: set("nonce", "x")},
		"of no attempt":              {Claims: func(c providertest.Claims) { delete(c, "nonce") }},
		"about nobody":               {Claims: set("sub", "")},
		"about somebody unprintable": {Claims: set("sub", "u-1\x1b[2J")},
		"signed by another key":      {Sign: func(h, b string) string { return providertest.Sign(other, h, b) }},
		"signed by the key it names": {Sign: func(_, b string) string {
			return providertest.Sign(other, `{"alg":"ES256","jwk":`+string(jwk)+`}`, b)
		}},
		"signed by nobody": {Sign: func(_, b string) string {
			return providertest.Part(`{"alg":"none"}`) + "." + providertest.Part(b) + "."
		}},
		"signed with what is public": {Sign: func(_, b string) string {
			text := providertest.Part(`{"alg":"HS256","kid":"1"}`) + "." + providertest.Part(b)
			m := hmac.New(sha256.New, []byte(providertest.Secret))
			m.Write([]byte(text))
			return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
		}},
		"changed": {Sign: func(h, b string) string {
			key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // it never fails
			return providertest.Sign(key, h, strings.Replace(b, "u-1", "u-2", 1))
		}},
	} {
		p.Lie(providertest.Lies{Claims: func(c providertest.Claims) { c.Set("aud", []string{"ambit", "api"}); c.Set("azp", "ambit") }})
		if who, err := enter(t, p, c); err != nil || who.Subject != "u-1" || who.Role != "viewer" {
			t.Fatalf("a good one: %+v %v", who, err)
		}
		p.Lie(l)
		if who, err := enter(t, p, c); err == nil || who.Role != "" {
			t.Errorf("%s: %+v %v", what, who, err)
		}
	}
}

// A provider that answers too much or sends it elsewhere is not followed: what stands
// elsewhere on loopback is never asked.
func TestReach(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(elsewhere.Close)
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 1 << 10 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<10))); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte("{}"))
	}
	const discovery = "/.well-known/openid-configuration"
	for _, path := range []string{"/keys", "/token"} {
		for what, instead := range map[string]http.HandlerFunc{"sends it elsewhere": away, "answers hugely": huge} {
			p, c := begun(t, "")
			if _, err := enter(t, p, c); err != nil {
				t.Fatalf("a good one: %v", err)
			}
			// Keys are kept: another one is asked for by a token that names it.
			p.Lie(providertest.Lies{Instead: map[string]http.HandlerFunc{path: instead}, Sign: func(_, b string) string {
				key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // it never fails
				return providertest.Sign(key, `{"alg":"ES256","kid":"2"}`, b)
			}})
			if who, err := enter(t, p, c); err == nil {
				t.Errorf("%s of a provider that %s: %+v", path, what, who)
			}
		}
	}
	lie := func(change func(d map[string]string)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			u := "https://" + r.Host
			d := map[string]string{"issuer": u, "authorization_endpoint": u + "/authorize", "token_endpoint": u + "/token", "jwks_uri": u + "/keys"}
			change(d)
			_ = json.NewEncoder(w).Encode(d) // who asked is gone
		}
	}
	var lying sync.WaitGroup
	for what, instead := range map[string]http.HandlerFunc{
		"sends it elsewhere": away,
		"sends it to itself": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/away", http.StatusFound) },
		"answers hugely": func(w http.ResponseWriter, r *http.Request) { // and well
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20)))
			lie(func(map[string]string) {})(w, r)
		},
		"is another one":           lie(func(d map[string]string) { d["issuer"] = elsewhere.URL }),
		"has its keys elsewhere":   lie(func(d map[string]string) { d["jwks_uri"] = elsewhere.URL + "/keys" }),
		"has its tokens elsewhere": lie(func(d map[string]string) { d["token_endpoint"] = elsewhere.URL + "/token" }),
		"sends people elsewhere":   lie(func(d map[string]string) { d["authorization_endpoint"] = elsewhere.URL + "/authorize" }),
		"has no TLS": lie(func(d map[string]string) {
			d["token_endpoint"] = strings.Replace(d["token_endpoint"], "https", "http", 1)
		}),
	} {
		p := providertest.Start(redirect, time.Now)
		t.Cleanup(p.Server.Close)
		p.Lie(providertest.Lies{Instead: map[string]http.HandlerFunc{discovery: instead, "/away": lie(func(map[string]string) {})}})
		c := client(t, p, "")
		lying.Go(func() { wantUnready(t, what, p, c) })
	}
	lying.Wait()
	select {
	case path := <-asked:
		t.Errorf("it asked for %s elsewhere", path)
	default:
	}
}

// wantUnready wants a provider never to be asked for logins.
func wantUnready(t *testing.T, what string, p *providertest.Provider, c *provider.Provider) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.Run(ctx)
	}()
	for end := time.Now().Add(time.Minute); len(p.Asked()) < 2 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // it tries again
	}
	if _, _, err := c.Begin(); err == nil || len(p.Asked()) < 2 {
		t.Errorf("a provider that %s: %v, asked %v", what, err, p.Asked())
	}
	cancel()
	<-over
}

// Who waits for a provider that does not answer goes on when their own request ends;
// before it has answered nobody waits at all.
func TestDown(t *testing.T) {
	t.Parallel()
	p, c := begun(t, "")
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	p.Lie(providertest.Lies{Instead: map[string]http.HandlerFunc{"/token": func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}}})
	a, there, err := c.Begin()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(there)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Finish(ctx, a, url.Values{"code": {"x"}, "state": {u.Query().Get("state")}}); err == nil {
		t.Error("somebody is who nobody said")
	}
	never := client(t, p, "")
	if _, _, err := never.Begin(); err == nil {
		t.Error("a login begins before the provider has answered")
	}
}

// What makes no sense, or others may write or read, is refused.
func TestLoad(t *testing.T) {
	t.Parallel()
	p := providertest.Start(redirect, time.Now)
	t.Cleanup(p.Server.Close)
	if _, err := load(configured(t, p, "")); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{`"rules": [],`, `"rules": [{"claim":"a","has":"b","role":"admin","org":"other"}],`, `"rules": [{"claim":"a","has":"b","role":"root"}],`, `"rules": [{"claim":"a","has":"b","is":"b","role":"admin"}],`,
		`"rules": [{"claim":"a","role":"admin"}],`, `"algorithms": ["HS256"],`, `"algorithms": ["none"],`, `"hosts": ["a/b"],`, `"other": 1,`, `"name": "\u001b",`} {
		if _, err := load(configured(t, p, more)); err == nil {
			t.Errorf("%s is taken", more)
		}
	}
	for _, swap := range [][2]string{{redirect, "https://ambit.example.org/other"}, {redirect, "http://ambit.example.org" + provider.CallbackPath},
		{"https://127", "http://127"}, {`"login"`, `"other"`}, {`"client": "ambit"`, `"client": ""`}} {
		path := configured(t, p, "")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), swap[0], swap[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(path); err == nil {
			t.Errorf("%s is taken", swap[1])
		}
	}
	for name, mode := range map[string]os.FileMode{"serve.json": 0o622, "client.secret": 0o640} {
		path := configured(t, p, "")
		if err := os.Chmod(filepath.Join(filepath.Dir(path), name), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := load(path); err == nil {
			t.Errorf("%s of the mode %o is taken", name, mode)
		}
	}
}
