package script_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A far is a server of the host with TLS, HTTP/2 and plain HTTP, that a CA of its
// own vouches for.
type far struct {
	ca            string // file with its CA; beside it, with .leaf and .key, its certificate
	plain, secure string // HOST:PORT, by the name of the host's loopback

	mu   sync.Mutex
	more http.Handler // guarded by mu; serves in its place, if there is one
	seen []string     // requests; guarded by mu
}

func newFar(t *testing.T, b *bench) *far {
	t.Helper()
	f := &far{ca: filepath.Join(filepath.Dir(b.dir), "ca.pem")}
	cert := f.certificate(t)
	listen := func() (net.Listener, string) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l, "host.ambit.internal:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	plain, at := listen()
	f.plain = at
	secure, at := listen()
	f.secure = at
	one := &http.Server{ReadHeaderTimeout: time.Minute, Handler: f}
	two := &http.Server{ReadHeaderTimeout: time.Minute, Handler: f, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go one.Serve(plain)             //nolint:errcheck // it ends with the test
	go two.ServeTLS(secure, "", "") //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _, _ = one.Close(), two.Close() })
	b.env = append(b.env, "SSL_CERT_FILE="+f.ca)
	return f
}

// certificate makes a CA, writes it, and issues a certificate.
func (f *far) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	make := func(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "Far CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := make(ca, ca, caKey, caKey)
	leaf := make(&x509.Certificate{Subject: pkix.Name{CommonName: "far"}, DNSNames: []string{"host.ambit.internal"}}, ca, leafKey, caKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string]*pem.Block{f.ca: {Type: "CERTIFICATE", Bytes: caDER}, f.ca + ".leaf": {Type: "CERTIFICATE", Bytes: leaf}, f.ca + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: leafKey}
}

// serve has another handler serve in its place.
func (f *far) serve(h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.more = h
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.RequestURI)
	more := f.more
	f.mu.Unlock()
	if more != nil {
		more.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: one\n\n")
	case "/socket":
		c, rest, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		word := [4]byte{}
		if _, err := io.ReadFull(rest, word[:]); err == nil {
			_, _ = c.Write([]byte("echo " + string(word[:])))
		}
	default:
		fmt.Fprintf(w, "%s %s %s %q", r.Proto, r.Method, r.RequestURI, body)
	}
}

// took returns the requests that came since it was called last.
func (f *far) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// TestRequests: of a connection that was narrowed to requests, these go through,
// by HTTP/1.1 and HTTP/2, and no others. Without rules all of them do.
func TestRequests(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	rules := func(rule string) []string {
		return []string{"run", "--allow", "net.connect:" + f.secure + rule, "--allow", "net.connect:" + f.plain + rule, "--", "curl", "-sS"}
	}
	curl := func(rule string, args ...string) ran { return b.run(append(rules(rule), args...)...) }
	const rule = "/http:GET:/repos/**"
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"https://" + f.secure + "/repos/a?b=c"}, `HTTP/2.0 GET /repos/a?b=c ""`},
		{[]string{"--http1.1", "https://" + f.secure + "/repos/%41%20b"}, `HTTP/1.1 GET /repos/%41%20b ""`},
		{[]string{"http://" + f.plain + "/repos/a"}, `HTTP/1.1 GET /repos/a ""`},
		{[]string{"--http2-prior-knowledge", "http://" + f.plain + "/repos/a"}, ""},
	} {
		r := curl(rule, tc.args...)
		if tc.want != "" && (r.out != tc.want || r.status != 0) {
			t.Errorf("%q: %d, %q %q; want %q", tc.args, r.status, r.out, r.err, tc.want)
		}
	}
	f.took()
	for _, args := range [][]string{
		{"https://" + f.secure + "/"},
		{"https://" + f.secure + "/reposx"},
		{"-X", "POST", "https://" + f.secure + "/repos/a"},
		{"-d", "x", "http://" + f.plain + "/repos/a"},
		{"--path-as-is", "https://" + f.secure + "/repos/../a"},
		{"--path-as-is", "http://" + f.plain + "/repos/%2e%2e/a"},
		{"--path-as-is", "http://" + f.plain + "//repos/a"},
		{"http://" + f.plain + "/repos/a%2fb"},
		{"http://" + f.plain + "/repos/..;/a"},
	} {
		r := curl(rule, args...)
		var told struct{ Error, Reason, Decision, Capability string }
		if err := json.Unmarshal([]byte(r.out), &told); err != nil || told.Reason != "not-granted" || !strings.HasPrefix(told.Decision, "d-") {
			t.Errorf("%q: %d, %q %q", args, r.status, r.out, r.err)
			continue
		}
		if line := "ambit: denied " + told.Capability + " (not granted) [" + told.Decision + "] allow: --allow "; !strings.Contains(r.err, line) {
			t.Errorf("%q: errors %q, want %q", args, r.err, line)
		}
		if r := b.run("why", told.Decision); r.status != 0 || !strings.Contains(r.out, "net.connect") {
			t.Errorf("why %s: %q %q", told.Decision, r.out, r.err)
		}
		if seen := f.took(); seen != nil {
			t.Errorf("%q: the server saw %q", args, seen)
		}
		// The control: the same without rules.
		curl("", append([]string{"-k"}, args...)...).want(t, 0)
		if seen := f.took(); len(seen) != 1 {
			t.Errorf("%q: without rules the server saw %q", args, seen)
		}
	}
	if r := curl("/http:GET", "--path-as-is", "http://"+f.plain+"/@scope%2fname"); r.out != `HTTP/1.1 GET /@scope%2fname ""` {
		t.Errorf("an odd path without a rule of paths: %q %q", r.out, r.err)
	}
	for _, args := range [][]string{
		{"-H", "Host: other.test", "http://" + f.plain + "/repos/a"},
		{"-H", "Host: other.test", "https://" + f.secure + "/repos/a"},
		{"-H", "Host: " + f.secure, "http://" + f.plain + "/repos/a"},
		{"--request-target", "http://other.test/repos/a", "http://" + f.plain + "/repos/a"},
	} {
		f.took()
		if r := curl(rule, append([]string{"-w", "%{http_code}"}, args...)...); !strings.Contains(r.out, "host-mismatch") || !strings.HasSuffix(r.out, "421") || f.took() != nil {
			t.Errorf("%q: %d, %q %q", args, r.status, r.out, r.err)
		}
	}
	b.run("audit", "verify").want(t, 0)
}

// TestRequestsDenied: a denial of some requests opens the connection, and leaves
// all others.
func TestRequestsDenied(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	curl := func(args ...string) ran {
		return b.run(append([]string{"run", "--allow", "net.connect:" + f.secure, "--deny", "net.connect:" + f.secure + "/http:DELETE:/a", "--", "curl", "-sS"}, args...)...)
	}
	if r := curl("-X", "DELETE", "https://"+f.secure+"/a"); !strings.Contains(r.out, "not-granted") || f.took() != nil {
		t.Errorf("denied: %q %q", r.out, r.err)
	}
	// Servers take these for /a, or may.
	for _, path := range []string{"//a", "/./a", "/x/../a", "/x/%2e%2e/a", "/x/..;/a", "/x%2f..%2fa"} {
		if r := curl("--path-as-is", "-X", "DELETE", "https://"+f.secure+path); !strings.Contains(r.out, "not-granted") || f.took() != nil {
			t.Errorf("%s: %q %q", path, r.out, r.err)
		}
		if r := curl("--path-as-is", "-X", "PUT", "https://"+f.secure+path); len(f.took()) != 1 {
			t.Errorf("%s, which nothing denies: %q %q", path, r.out, r.err)
		}
	}
	for _, args := range [][]string{{"-X", "DELETE", "https://" + f.secure + "/b"}, {"-X", "PUT", "https://" + f.secure + "/a"}} {
		if r := curl(args...); len(f.took()) != 1 {
			t.Errorf("%q: %q %q", args, r.out, r.err)
		}
	}
}

// TestRequestsTrust: only a connection with rules is opened; what is inside trusts
// the sandbox's certificate for it, a program that does not is told of, and a
// server that the host does not trust gets no request.
func TestRequestsTrust(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	run := func(grant string, args ...string) ran {
		return b.run(append([]string{"run", "--allow", "net.connect:" + grant, "--allow", "fs.read:" + f.ca, "--"}, args...)...)
	}
	issuer := func(grant string) string {
		r := run(grant, "curl", "-sSvk", "-o", "/dev/null", "https://"+f.secure+"/")
		for line := range strings.Lines(r.err) {
			if _, name, ok := strings.Cut(line, "issuer: "); ok {
				return strings.TrimSpace(name)
			}
		}
		return r.err
	}
	if got := issuer(f.secure); got != "CN=Far CA" {
		t.Errorf("without rules the issuer is %q", got)
	}
	if got := issuer(f.secure + "/http"); !strings.Contains(got, "Ambit") {
		t.Errorf("with rules the issuer is %q", got)
	}
	f.took()
	if r := run(f.secure+"/http", "curl", "-sS", "--cacert", f.ca, "https://"+f.secure+"/"); r.status == 0 || f.took() != nil || !strings.Contains(r.err, "[client-distrusts-ca]") {
		t.Errorf("with certificates of its own: %d, %q %q", r.status, r.out, r.err)
	}
	if r := b.run("audit", "ls", "-n", "0"); !strings.Contains(r.out, "client-distrusts-ca") {
		t.Errorf("the log says nothing of the program that does not trust:\n%s", r.out)
	}
	if r := run(f.secure, "curl", "-sS", "--cacert", f.ca, "https://"+f.secure+"/"); r.status != 0 || f.took() == nil {
		t.Errorf("the same without rules: %d, %q %q", r.status, r.out, r.err)
	}
	b.env = slices.DeleteFunc(b.env, func(kv string) bool { return strings.HasPrefix(kv, "SSL_CERT_FILE=") })
	if r := run(f.secure+"/http", "curl", "-sSk", "https://"+f.secure+"/"); !strings.Contains(r.out, "upstream-certificate") || f.took() != nil {
		t.Errorf("a server that the host does not trust: %q %q", r.out, r.err)
	}
	if r := run(f.secure, "curl", "-sSk", "https://"+f.secure+"/"); f.took() == nil {
		t.Errorf("the same without rules: %q %q", r.out, r.err)
	}
}

// TestRequestsLimited: the certificates of a sandbox can speak for the hosts whose
// connections are opened in it, and for no others.
func TestRequestsLimited(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	for _, tc := range []struct {
		rules []string
		names string
	}{
		{[]string{"net.connect:" + f.secure + "/http:GET", "net.connect:*.example.com/http", "net.connect:passed.example"}, "example.com host.ambit.internal"},
		{[]string{"net.connect:" + f.secure + "/http", "net.connect:*/http:GET"}, ""},
	} {
		args := []string{"run"}
		for _, rule := range tc.rules {
			args = append(args, "--allow", rule)
		}
		r := b.run(append(args, "--", "openssl", "s_client", "-showcerts", "-verify_return_error", "-verify_hostname", "host.ambit.internal", "-servername", "host.ambit.internal", "-connect", f.secure)...)
		_, rest := pem.Decode([]byte(r.out[max(0, strings.Index(r.out, "-----BEGIN")):]))
		second, _ := pem.Decode(rest)
		if second == nil || r.status != 0 {
			t.Errorf("%q: %d, %q %q", tc.rules, r.status, r.out, r.err)
			continue
		}
		issuer, err := x509.ParseCertificate(second.Bytes)
		if err != nil || !issuer.IsCA || strings.Join(issuer.PermittedDNSDomains, " ") != tc.names || (len(issuer.ExcludedIPRanges) > 0) != (tc.names != "") {
			t.Errorf("%q: %v, permitted %q, excluded %v", tc.rules, err, issuer.PermittedDNSDomains, issuer.ExcludedIPRanges)
		}
	}
}

// TestRequestsAsked: a request beside the rules waits while a person is asked.
func TestRequestsAsked(t *testing.T) {
	b := newAskingBench(t)
	f := newFar(t, b)
	rule := []string{"--home", "ephemeral", "--allow", "fs.read:" + b.dir, "--allow", "net.connect:" + f.secure + "/http:GET"}
	for _, yes := range []bool{true, false} {
		a := b.ask(rule, "curl", "-sSf", "-d", "x", "https://"+f.secure+"/a")
		q := b.question(a)
		if want := "net.connect:" + f.secure + "/http:POST:/a"; q.Question.Capability != want || q.Question.Program != "curl" {
			t.Errorf("asked about %q by %q, want %q by curl", q.Question.Capability, q.Question.Program, want)
		}
		verb := "deny"
		if yes {
			verb = "approve"
		}
		b.run(verb, q.Question.ID).want(t, 0)
		if err := a.Wait(); (err == nil) != yes || (f.took() != nil) != yes {
			t.Errorf("%s: %v, %q %q", verb, err, a.out.String(), a.err.String())
		}
	}
}

// TestRequestsStreams: what stays open takes net.stream.
func TestRequestsStreams(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	host, port, _ := strings.Cut(f.plain, ":")
	socket := `import socket
s = socket.create_connection(("` + host + `", ` + port + `))
s.sendall(b"GET /socket HTTP/1.1\r\nHost: ` + f.plain + `\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n")
head = b""
while b"\r\n\r\n" not in head: head += s.recv(4096)
print(head.split(b"\r\n")[0].decode())
if b" 101 " in head:
    s.sendall(b"ping"); print(s.recv(99).decode())`
	for _, tc := range []struct {
		kind, want string
	}{{"net.stream", "HTTP/1.1 101 Switching Protocols\necho ping\n"}, {"net.connect", "HTTP/1.1 403 Forbidden\n"}} {
		rule := tc.kind + ":" + f.plain + "/http:GET"
		if r := b.run("run", "--allow", rule, "--", "python3", "-c", socket); r.out != tc.want {
			t.Errorf("%s, WebSocket: %q %q", tc.kind, r.out, r.err)
		}
		r := b.run("run", "--allow", rule, "--", "curl", "-sS", "http://"+f.plain+"/events")
		if ok := r.out == "data: one\n\n"; ok != (tc.kind == "net.stream") {
			t.Errorf("%s, events: %q %q", tc.kind, r.out, r.err)
		}
		b.run("run", "--allow", rule, "--", "curl", "-sS", "http://"+f.plain+"/other").want(t, 0)
	}
}
