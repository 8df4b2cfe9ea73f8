package script_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The secret of the tests. It has what is written in another way in JSON, in
// HTML and in a URL.
const secretValue = `tok"en&with<odd>/signs+and=more`

// secretHost is the loopback of the host, as a sandbox names it.
const secretHost = "host.ambit.internal"

// api is a server of the host's loopback to which secrets go. It keeps what it
// was sent, and repeats it in many ways.
type api struct {
	port  string
	cfg   *tls.Config
	roots string // file with the certificate that it can be verified with

	mu   sync.Mutex
	seen []string // guarded by mu: requests, head and body
}

// sent is all that the server was sent so far.
func (a *api) sent() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.seen, "\n")
}

func (a *api) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = nil
}

// newAPI starts one, with TLS for secretHost.
func newAPI(t *testing.T, dir string) *api {
	t.Helper()
	cert, roots := certificate(t, dir)
	return startAPI(t, roots, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12})
}

func startAPI(t *testing.T, roots string, cfg *tls.Config) *api {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &api{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port), cfg: cfg, roots: roots}
	s := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute, TLSConfig: cfg.Clone(), ErrorLog: log.New(io.Discard, "", 0)} // it changes its own
	if cfg != nil {
		go s.ServeTLS(l, "", "") //nolint:errcheck // it ends with the test
	} else {
		go s.Serve(l) //nolint:errcheck // it ends with the test
	}
	t.Cleanup(func() { _ = s.Close() })
	return a
}

// certificate makes one for secretHost, and a file that has it verified.
func certificate(t *testing.T, dir string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, DNSNames: []string{secretHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	roots := filepath.Join(dir, "roots.pem")
	for path, content := range map[string][]byte{roots: text, filepath.Join(dir, "key.pem"): keyText} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := tls.X509KeyPair(text, keyText)
	if err != nil {
		t.Fatal(err)
	}
	return cert, roots
}

// ServeHTTP keeps the request and repeats it, in the way that the path names.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what came is what is kept
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s %s\nHost: %s\n", r.Method, r.URL.RequestURI(), r.Proto, r.Host)
	_ = r.Header.Write(&head)
	_ = r.Trailer.Write(&head)
	a.mu.Lock()
	a.seen = append(a.seen, head.String()+"\n"+string(body))
	a.mu.Unlock()
	told := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch r.URL.Path {
	case "/plain":
		_, _ = io.WriteString(w, "hello\n")
	case "/echo":
		w.Header().Set("X-Echo", told)
		_, _ = fmt.Fprintf(w, "begin %s\n%s%s end\n", told, head.String(), body)
	case "/early":
		w.Header().Set("Link", "</"+told+">; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "after\n")
	case "/drip":
		for _, c := range []byte("begin " + told + " end\n") {
			_, _ = w.Write([]byte{c})
			_ = http.NewResponseController(w).Flush()
		}
	case "/gzip":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = fmt.Fprintf(z, "begin %s end\n", told)
		_ = z.Close()
	case "/trailer":
		w.Header().Set("Trailer", "X-Late")
		_, _ = io.WriteString(w, "begin end\n")
		w.Header().Set("X-Late", told)
	case "/redirect":
		http.Redirect(w, r, r.URL.Query().Get("to")+"?t="+told, http.StatusFound)
	case "/broken", "/nonsense":
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, map[string]string{"/broken": "HTTP/1.1 200 OK\r\nno header "}[r.URL.Path]+told+"\r\n\r\n")
	case "/hold":
		_, _ = fmt.Fprintf(w, "begin %s\n", told)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "/socket":
		a.socket(w, r, told)
	}
}

// socket upgrades to something that repeats what it was told, and then what
// comes.
func (a *api) socket(w http.ResponseWriter, r *http.Request, told string) {
	c, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	h := textproto.MIMEHeader{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "X-Echo": {told}}
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n")
	_ = http.Header(h).Write(c)
	_, _ = io.WriteString(c, "\r\nbegin "+told+" end\n")
	_, _ = io.Copy(c, rest)
}

// secretBench is a bench with a secret for a server.
type secretBench struct {
	*bench
	api *api
}

func newSecretBench(t *testing.T, flags ...string) *secretBench {
	t.Helper()
	return secretFor(t, newBench(t), flags...)
}

// secretFor puts a secret for a server of its own into a bench's vault.
func secretFor(t *testing.T, b *bench, flags ...string) *secretBench {
	t.Helper()
	s := &secretBench{bench: b, api: newAPI(t, t.TempDir())}
	s.env = append(s.env, "SSL_CERT_FILE="+s.api.roots)
	s.set("token", append([]string{"--for", s.host()}, flags...)...)
	return s
}

func (s *secretBench) host() string           { return secretHost + ":" + s.api.port }
func (s *secretBench) url(path string) string { return "https://" + s.host() + path }

// set puts a secret with the value of the tests into the vault.
func (s *secretBench) set(name string, flags ...string) {
	s.t.Helper()
	cmd := s.command(append([]string{"secret", "set", name}, flags...)...)
	cmd.Stdin = strings.NewReader(secretValue + "\n")
	s.finish(cmd).want(s.t, 0)
}

// with runs a command that may use the secret toward the server.
func (s *secretBench) with(argv ...string) ran {
	s.t.Helper()
	return s.run(s.allowed(argv...)...)
}

func (s *secretBench) allowed(argv ...string) []string {
	return append([]string{"run", "--ask", "none", "--allow", "net.connect:" + s.host(), "--allow", "net.stream:" + s.host(),
		"--allow", "secret.use:token@" + s.host(), "--"}, argv...)
}

// shell runs a script with the URL of a path as its first argument.
func (s *secretBench) shell(path, script string) ran {
	s.t.Helper()
	return s.with("sh", "-c", script, "sh", s.url(path))
}

const bearer = `curl -sS -m 30 -H "Authorization: Bearer $TOKEN" `
