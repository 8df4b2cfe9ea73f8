package ambit_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	ambit "ambit.dev/ambit/sdk/go"
)

// known is the port of the host that examples speak to, as it is to be reached.
func known() ambit.Port {
	return ambit.Port{URL: os.Getenv("AMBIT_HOST"), TokenFile: os.Getenv("AMBIT_TOKEN_FILE"), Fingerprint: os.Getenv("AMBIT_FINGERPRINT")}
}

// A host is known by its fingerprint however that is written, by its certificate as an
// authority, and by the environment.
func TestDialPort(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ambit.Port){
		"as it is printed":     func(*ambit.Port) {},
		"without colons":       func(p *ambit.Port) { p.Fingerprint = strings.ToLower(strings.ReplaceAll(p.Fingerprint, ":", "")) },
		"a slash at the end":   func(p *ambit.Port) { p.URL += "/" },
		"by its certificate":   func(p *ambit.Port) { p.Fingerprint, p.CAFile = "", filepath.Join(host.State, "host", "tls.crt") },
		"a token and no file":  func(p *ambit.Port) { p.Token, p.TokenFile = readToken(t), "" },
		"a proxy for no other": func(p *ambit.Port) { p.Proxy = true }, // loopback has none
	} {
		p := known()
		change(&p)
		c, err := ambit.DialPort(t.Context(), p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.Close()
	}
	c, err := ambit.DialEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func readToken(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("AMBIT_TOKEN_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// What is not said, said twice or no address is refused before anything is sent, and no
// error has the token.
func TestDialPortRefused(t *testing.T) {
	t.Parallel()
	token := readToken(t)
	for name, change := range map[string]func(*ambit.Port){
		"no TLS":                 func(p *ambit.Port) { p.URL = strings.Replace(p.URL, "https:", "http:", 1) },
		"a path":                 func(p *ambit.Port) { p.URL += "/api" },
		"a user":                 func(p *ambit.Port) { p.URL = strings.Replace(p.URL, "//", "//me@", 1) },
		"no address":             func(p *ambit.Port) { p.URL = "" },
		"no token":               func(p *ambit.Port) { p.TokenFile = "" },
		"no such file":           func(p *ambit.Port) { p.TokenFile += "-" },
		"two tokens":             func(p *ambit.Port) { p.Token = token },
		"a token of two lines":   func(p *ambit.Port) { p.Token, p.TokenFile = token+"\n"+token, "" },
		"no fingerprint":         func(p *ambit.Port) { p.Fingerprint = p.Fingerprint[3:] },
		"two ways to know it":    func(p *ambit.Port) { p.CAFile = filepath.Join(host.State, "host", "tls.crt") },
		"an authority of none":   func(p *ambit.Port) { p.Fingerprint, p.CAFile = "", p.TokenFile },
		"this machine's own":     func(p *ambit.Port) { p.Fingerprint = "" },
		"another's fingerprint":  func(p *ambit.Port) { p.Fingerprint = strings.Repeat("0", 64) },
		"a token that is longer": func(p *ambit.Port) { p.Token, p.TokenFile = token+"x", "" },
	} {
		p := known()
		change(&p)
		c, err := ambit.DialPort(t.Context(), p)
		if err == nil {
			c.Close()
			t.Errorf("%s: a client was made", name)
			continue
		}
		if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error has the token: %v", name, err)
		}
	}
	p := known()
	p.Token, p.TokenFile = "ambit_nobody", ""
	if _, err := ambit.DialPort(t.Context(), p); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a token that nobody has: %v", err)
	}
}

// A token is sent neither to a host with another certificate nor to where a host sends
// requests on to.
func TestTokenStays(t *testing.T) {
	t.Parallel()
	var asked, elsewhere atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	one := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	one.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	one.StartTLS()
	defer one.Close()
	file := filepath.Join(t.TempDir(), "ca.pem") // both servers show the same certificate
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	p := known()
	p.URL = one.URL
	if _, err := ambit.DialPort(t.Context(), p); err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("another certificate: %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("a host with another certificate had %d requests", n)
	}
	p.Fingerprint, p.CAFile = "", file
	if _, err := ambit.DialPort(t.Context(), p); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("sent elsewhere: %v", err)
	}
	if asked.Load() == 0 || elsewhere.Load() != 0 {
		t.Errorf("the host had %d requests, the other one %d", asked.Load(), elsewhere.Load())
	}
}
