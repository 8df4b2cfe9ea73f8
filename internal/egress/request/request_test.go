package request_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/leaktest"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/request/authority"
)

// TestMain runs the tests, and waits until no goroutine is left of them.
func TestMain(m *testing.M) { leaktest.Main(m) }

// A world is an engine with a server behind it. Its host is far.test.
type world struct {
	t      *testing.T
	engine *request.Engine
	ours   *x509.CertPool // what the program trusts
	theirs *authority.Authority
	server string              // address of the server
	tls    bool                // the server has TLS
	to     request.Destination // of connections; the zero one is far.test
	deny   func(a request.Ask) bool

	mu    sync.Mutex
	asks  []request.Ask    // guarded by mu
	told  []request.Record // guarded by mu
	seen  []string         // heads of requests that the server got; guarded by mu
	dials int              // guarded by mu
	ends  []request.End    // guarded by mu
	left  sync.WaitGroup
}

// start makes a world whose server answers with handler. change may change what
// the engine is made of.
func start(t *testing.T, secure bool, handler http.HandlerFunc, change func(*request.Config)) *world {
	t.Helper()
	return startAs(t, secure, []string{"h2", "http/1.1"}, handler, change)
}

// startAs is start for a server that speaks some protocols over TLS.
func startAs(t *testing.T, secure bool, protocols []string, handler http.HandlerFunc, change func(*request.Config)) *world {
	t.Helper()
	w := &world{t: t, tls: secure, ours: x509.NewCertPool(), deny: func(request.Ask) bool { return false }}
	theirs, mine := newAuthority(t), newAuthority(t)
	w.theirs = theirs
	w.ours.AppendCertsFromPEM(mine.PEM())
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(theirs.PEM())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.server = l.Addr().String()
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, r.Method+" "+r.Host+" "+r.RequestURI)
		w.mu.Unlock()
		if r.RequestURI != "/end" {
			handler(rw, r)
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !secure {
			_ = s.Serve(l)
			return
		}
		leaf, err := theirs.Leaf("far.test", time.Now())
		if err != nil {
			t.Error(err)
			return
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: protocols}
		_ = s.ServeTLS(l, "", "")
	}()
	cfg := request.Config{Authority: mine, Roots: func() *x509.CertPool { return roots }}
	if change != nil {
		change(&cfg)
	}
	w.engine = request.New(t.Context(), cfg)
	t.Cleanup(func() {
		w.engine.Close()
		w.left.Wait()
		_ = s.Close()
		<-done
	})
	return w
}

func newAuthority(t *testing.T) *authority.Authority {
	t.Helper()
	a, err := authority.New(time.Now())
	if err == nil {
		err = a.Limit(authority.Names{Any: true}, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) Decide(_ context.Context, a request.Ask) request.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks = append(w.asks, a)
	if w.deny(a) {
		return request.Answer{Decision: "d-1", Capability: "c", Why: "because", Fix: "do so"}
	}
	return request.Answer{Allowed: true, Decision: "d-2"}
}

func (w *world) Dial(ctx context.Context, kept func(netip.AddrPort) net.Conn) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(w.server); err == nil {
		if c := kept(at); c != nil {
			return c, nil
		}
	}
	w.mu.Lock()
	w.dials++
	w.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, "tcp", w.server)
}

func (w *world) Told(r request.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, r)
}

// records waits for what is told of n requests: of HTTP/2 the next one may be told of
// before the last one is. They are by method and path.
func (w *world) records(t *testing.T, n int) map[string]request.Record {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		told := slices.Clone(w.told)
		w.mu.Unlock()
		if len(told) >= n {
			all := map[string]request.Record{}
			for _, r := range told {
				all[r.Method+" "+r.Path] = r
			}
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("told %+v", told)
		}
	}
}

// connect is a program's connection.
func (w *world) connect() net.Conn {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	inside, err := l.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	w.left.Go(func() {
		port := uint16(80)
		if w.tls {
			port = 443
		}
		to := w.to
		if to.Host == "" {
			to = request.Destination{Host: "far.test", Port: port}
		}
		end := w.engine.Serve(w.t.Context(), inside, to, w)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ends = append(w.ends, end)
	})
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c
}

// client is an HTTP client whose every connection is the program's.
func (w *world) client(two bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!two)
	p.SetHTTP2(two && w.tls)
	p.SetUnencryptedHTTP2(two && !w.tls)
	dial := func(context.Context, string, string) (net.Conn, error) { return w.connect(), nil }
	t := &http.Transport{DialContext: dial, Protocols: &p, TLSClientConfig: &tls.Config{RootCAs: w.ours}, ExpectContinueTimeout: time.Minute}
	w.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *world) url() string {
	if w.tls {
		return "https://far.test"
	}
	return "http://far.test"
}

// raw says text on a connection without TLS, then that it was all, and returns
// what is answered.
func (w *world) raw(text string) string {
	w.t.Helper()
	c := w.connect()
	if _, err := io.WriteString(c, text+"GET /end HTTP/1.1\r\nHost: far.test\r\nConnection: close\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	b, _ := io.ReadAll(c) // it may be broken off
	_ = c.Close()
	w.left.Wait()
	return string(b)
}

// served returns what the server has got, and forgets it.
func (w *world) served() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := slices.DeleteFunc(w.seen, func(s string) bool { return s == "GET far.test /end" })
	w.seen = nil
	return seen
}

// ways does a test by each version of HTTP, with TLS and without.
func ways(t *testing.T, do func(t *testing.T, secure, two bool)) {
	for _, secure := range []bool{false, true} {
		for _, two := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v, HTTP/2 %v", secure, two), func(t *testing.T) { do(t, secure, two) })
		}
	}
}

func body(t *testing.T, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDecided: what is decided is what is sent, for each request of a kept
// connection, and nothing is dialled before the first is allowed.
func TestDecided(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) }, nil)
		w.deny = func(a request.Ask) bool { return a.Path == "/no" || a.Method == http.MethodDelete }
		c := w.client(two)
		do := func(method, path, text string) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), method, w.url()+path, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(r)
			return resp.StatusCode, body(t, resp, err)
		}
		if code, text := do("GET", "/no?q", ""); code != 403 || !strings.Contains(text, `"decision":"d-1"`) || !strings.Contains(text, `"reason":"not-granted"`) {
			t.Errorf("%d %q", code, text)
		}
		if w.dials != 0 {
			t.Error("it connected before anything was allowed")
		}
		for _, path := range []string{"/a?x=%20", "/%41/b%2Fc", "//x", "/a/../b", "/ü"} {
			if code, text := do("POST", path, "text"); code != 200 || text != "text" {
				t.Errorf("%s: %d %q", path, code, text)
			}
		}
		if code, _ := do("DELETE", "/a", ""); code != 403 {
			t.Errorf("DELETE: %d", code)
		}
		var asked []string
		for _, a := range w.asks {
			asked = append(asked, a.Method+" "+a.Path)
		}
		if want := []string{"GET /no", "POST /a", "POST /%41/b%2Fc", "POST //x", "POST /a/../b", "POST /%C3%BC", "DELETE /a"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		if got, want := w.served(), []string{"POST far.test /a?x=%20", "POST far.test /%41/b%2Fc", "POST far.test //x", "POST far.test /a/../b", "POST far.test /%C3%BC"}; !slices.Equal(got, want) {
			t.Errorf("the server saw %q, want %q", got, want)
		}
		if w.dials != 1 {
			t.Errorf("%d connections for requests one after the other", w.dials)
		}
		told := w.records(t, 7)
		if r := told["POST /a"]; r.Decision != "d-2" || r.Status != 200 || r.In != 4 || r.Out != 4 || r.Path != "/a" {
			t.Errorf("told %+v", r)
		}
		if r := told["GET /no"]; r.Decision != "d-1" || r.Status != 403 || r.Refused != request.NotGranted {
			t.Errorf("told %+v", r)
		}
	})
}

// TestOtherHosts: a connection carries requests for its host.
func TestOtherHosts(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n":                        "200",
		"GET / HTTP/1.1\r\nHost: FAR.test.:80\r\n\r\n":                    "200",
		"GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":         "200",
		"GET http://far.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n":       "200", // RFC 9112, section 3.2.2: the target counts, and is what is sent
		"GET / HTTP/1.0\r\n\r\n":                                          "200",
		"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n":                      "421",
		"GET / HTTP/1.1\r\nHost: far.test:81\r\n\r\n":                     "421",
		"GET / HTTP/1.1\r\nHost: far.test:443\r\n\r\n":                    "421",
		"GET / HTTP/1.1\r\nHost: far.test.other.test\r\n\r\n":             "421",
		"GET / HTTP/1.1\r\nHost: other.test@far.test\r\n\r\n":             "400",
		"GET http://other.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":       "421",
		"GET https://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":        "421",
		"GET / HTTP/1.1\r\n\r\n":                                          "400",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n":                                 "400",
		"GET / HTTP/1.1\r\nHost: far.test\r\nHost: other.test\r\n\r\n":    "400",
		"GET / HTTP/1.1\r\nHost: far.test, other.test\r\n\r\n":            "4",
		"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n": "405",
		"TRACE / HTTP/1.1\r\nHost: far.test\r\n\r\n":                      "405",
		"OPTIONS * HTTP/1.1\r\nHost: far.test\r\n\r\n":                    "400",
		"GET /\r\n\r\n": "400",
		"GET / HTTP/1.1\r\nHost: far.test\r\nX: " + strings.Repeat("a", 80<<10) + "\r\n\r\n":                          "431",
		"GET /a HTTP/1.1\r\nHost: far.test\r\n\r\nGET /b HTTP/1.1\r\nHost: other.test\r\n\r\n":                        "200 421",
		strings.Repeat("GET /a HTTP/1.1\r\nHost: far.test\r\n\r\n", 2) + "GET /b HTTP/1.1\r\nHost: far.tests\r\n\r\n": "200 200 421",
		"POST / HTTP/1.1\r\nHost: far.test\r\nContent-Length: 1\r\nConnection: Host, Content-Length\r\n\r\nx":         "200",
	} {
		var codes []string
		for line := range strings.Lines(w.raw(text)) {
			if code, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
				codes = append(codes, code[:3])
			} else if code, ok := strings.CutPrefix(line, "HTTP/1.0 "); ok {
				codes = append(codes, code[:3])
			}
		}
		if got := strings.Join(codes, " "); !strings.HasPrefix(got, want) {
			t.Errorf("%.70q: %q, want %s", text, got, want)
		}
		n := strings.Count(want, "200")
		seen := w.served()
		if len(seen) != n {
			t.Errorf("%.70q: the server saw %q", text, seen)
		}
		for _, s := range seen {
			if !strings.Contains(s, " far.test /") {
				t.Errorf("%.70q: the server saw %q", text, s)
			}
		}
	}
}

// TestSmuggling: what is one request to us is one to the server, however it was
// written.
func TestSmuggling(t *testing.T) {
	got := make(chan string, 9)
	w := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%q %v %d %q %v", b, r.TransferEncoding, r.ContentLength, r.Header["X"], err)
	}, nil)
	const head = "POST /a HTTP/1.1\r\nHost: far.test\r\n"
	const hidden = "GET /b HTTP/1.1\r\nHost: far.test\r\n\r\n"
	for text, want := range map[string]string{ // "" for refused
		head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n":                     `"x" [chunked] -1 [] <nil>`,
		head + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n":                               `"" [chunked] -1 [] <nil>`,
		head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc":                                              `"abc" [] 3 [] <nil>`,
		head + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n":                                                        `"" [] 0 ["a b"] <nil>`,
		head + "X: a\nContent-Length: 1\n\nx":                                                                   `"x" [] 1 ["a"] <nil>`,
		head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd":                                             "",
		head + "Content-Length: 3, 4\r\n\r\nabcd":                                                               "",
		head + "Content-Length: +3\r\n\r\nabc":                                                                  "",
		head + "Content-Length: 0x3\r\n\r\nabc":                                                                 "",
		head + "Content-Length: -1\r\n\r\n":                                                                     "",
		head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n":                                                   "",
		head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n":                                          "",
		head + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc":                                    "",
		head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n":                     "",
		head + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n":                                                 "",
		head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n":                                                   "",
		head + "X: a\rX: b\r\nContent-Length: 0\r\n\r\n":                                                        "",
		head + "X: a\x00b\r\nContent-Length: 0\r\n\r\n":                                                         "",
		head + " Content-Length: 3\r\n\r\nabc":                                                                  "",
		head + "X\x01: a\r\n\r\n":                                                                               "",
		"POST /a HTTP/1.1\r\n Host: far.test\r\nHost: far.test\r\n\r\n":                                         "",
		"POST /a HTTP/1.1 \r\nHost: far.test\r\n\r\n":                                                           "",
		"POST /a b HTTP/1.1\r\nHost: far.test\r\n\r\n":                                                          "",
		"POST\t/a\tHTTP/1.1\r\nHost: far.test\r\n\r\n":                                                          "",
		"POST /a HTTP/1.2\r\nHost: far.test\r\nContent-Length: 0\r\n\r\n":                                       `"" [] 0 [] <nil>`,
		"GET /a HTTP/1.1\r\nHost: far.test\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden: fmt.Sprintf("%q [] %d [] <nil>", hidden, len(hidden)),
	} {
		answer := w.raw(text)
		seen := w.served()
		if want == "" {
			if len(seen) != 0 || strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%q: the server saw %q; %q", text, seen, answer)
			}
			continue
		}
		if len(seen) != 1 {
			t.Errorf("%q: the server saw %q; %q", text, seen, answer)
			continue
		}
		if is := <-got; is != want {
			t.Errorf("%q: the server saw %s, want %s", text, is, want)
		}
	}
}

// TestBrokenChunks: a body that breaks off is broken off at the server too.
func TestBrokenChunks(t *testing.T) {
	got := make(chan error, 9)
	w := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
	}, nil)
	for _, chunks := range []string{"5\r\nab", "5\r\nabcdeX\r\n0\r\n\r\n", "zz\r\n", "-1\r\n", "ffffffffffffffff1\r\n"} {
		w.raw("POST /a HTTP/1.1\r\nHost: far.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + chunks)
		if len(w.served()) == 0 {
			continue // it broke off before the head was sent
		}
		if err := <-got; err == nil {
			t.Errorf("%q: to the server it was whole", chunks)
		}
	}
}

// TestConnectionHeaders: what is about one connection ends there.
func TestConnectionHeaders(t *testing.T) {
	var got http.Header
	w := start(t, false, func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header
		h := rw.Header()
		h.Set("Connection", "X-Ours")
		h.Set("X-Ours", "1")
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Keep-Alive", "timeout=9")
		h.Set("X-Both", "2")
	}, nil)
	answer := w.raw("GET / HTTP/1.1\r\nHost: far.test\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: secret\r\nProxy-Connection: keep-alive\r\n" +
		"Keep-Alive: 9\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Other: 2\r\n\r\n")
	for _, name := range []string{"X-Mine", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Upgrade", "User-Agent", "Accept-Encoding"} {
		if v, ok := got[name]; ok {
			t.Errorf("the server saw %s: %q", name, v)
		}
	}
	if got.Get("X-Other") != "2" || got.Get("Te") != "trailers" {
		t.Errorf("the server saw %v", got)
	}
	for _, name := range []string{"X-Ours", "Alt-Svc", "Keep-Alive"} {
		if strings.Contains(answer, name) {
			t.Errorf("the program saw %s in %q", name, answer)
		}
	}
	if !strings.Contains(answer, "X-Both: 2") {
		t.Errorf("the program saw %q", answer)
	}
}

// TestUpstream: nothing is sent to a server that the host does not trust, nor to
// one whose certificate is for another name.
func TestUpstream(t *testing.T) {
	for name, change := range map[string]func(*request.Config){
		"unknown authority": func(c *request.Config) { c.Roots = x509.NewCertPool },
	} {
		w := start(t, true, func(http.ResponseWriter, *http.Request) {}, change)
		resp, err := w.client(false).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 502 || !strings.Contains(text, request.Certificate) || w.served() != nil {
			t.Errorf("%s: %d %q", name, resp.StatusCode, text)
		}
	}
}

// TestDistrust: a program that does not trust the sandbox's certificate, or asks
// for another name, gets nothing, and why is said.
func TestDistrust(t *testing.T) {
	for want, cfg := range map[string]*tls.Config{
		request.Distrust:    {ServerName: "far.test", RootCAs: x509.NewCertPool()},
		request.SNIMismatch: {ServerName: "other.test", InsecureSkipVerify: true},
	} {
		w := start(t, true, func(http.ResponseWriter, *http.Request) {}, nil)
		c := tls.Client(w.connect(), cfg)
		if err := c.Handshake(); err == nil {
			_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
			if err == nil {
				_, err = io.ReadAll(c)
			}
			if err == nil {
				t.Errorf("%s: it was served", want)
			}
		}
		_ = c.Close()
		w.left.Wait()
		if w.ends[0].Reason != want || w.dials != 0 {
			t.Errorf("got %+v, want %s; %d dials", w.ends[0], want, w.dials)
		}
	}
}

// TestStreaming: bodies pass as they come, in both directions at once.
func TestStreaming(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(rw)
			_ = rc.EnableFullDuplex()
			rw.WriteHeader(200)
			_ = rc.Flush()
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintln(rw, "echo", lines.Text())
				_ = rc.Flush()
			}
		}, nil)
		in, out := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.url()+"/", in)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(out, "one\n") }()
		resp, err := w.client(two).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for _, word := range []string{"one", "two", "three"} {
			if word != "one" {
				if _, err := io.WriteString(out, word+"\n"); err != nil {
					t.Fatal(err)
				}
			}
			if !lines.Scan() || lines.Text() != "echo "+word {
				t.Fatalf("got %q, %v", lines.Text(), lines.Err())
			}
		}
		_ = out.Close()
		if lines.Scan() {
			t.Errorf("got %q more", lines.Text())
		}
	})
}

// TestTrailers: trailers pass both ways, announced or not, and so do early
// responses, status without body, and what has no type.
func TestTrailers(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		var trailer http.Header
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/empty":
				rw.WriteHeader(204)
				return
			case "/untyped":
				rw.Header()["Content-Type"], rw.Header()["Date"] = nil, nil
				_, _ = io.WriteString(rw, "<html>")
				return
			}
			rw.Header().Set("Link", "</style>")
			rw.WriteHeader(103)
			rw.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(io.Discard, r.Body)
			trailer = r.Trailer
			_, _ = io.WriteString(rw, "text")
			rw.Header().Set("X-Sum", "4")
			rw.Header().Set(http.TrailerPrefix+"X-Late", "5")
		}, nil)
		c := w.client(two)
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.url()+"/", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		r.Trailer = http.Header{"X-Mine": {"6"}}
		resp, err := c.Do(r)
		if text := body(t, resp, err); text != "text" || resp.Trailer.Get("X-Sum") != "4" || resp.Trailer.Get("X-Late") != "5" {
			t.Errorf("%q, trailer %v", text, resp.Trailer)
		}
		if trailer.Get("X-Mine") != "6" {
			t.Errorf("the server saw the trailer %v", trailer)
		}
		resp, err = c.Get(w.url() + "/empty")
		if text := body(t, resp, err); resp.StatusCode != 204 || text != "" {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
		resp, err = c.Get(w.url() + "/untyped")
		if text := body(t, resp, err); text != "<html>" || resp.Header["Content-Type"] != nil || resp.Header["Date"] != nil {
			t.Errorf("%q %v", text, resp.Header)
		}
		resp, err = c.Head(w.url() + "/untyped")
		if body(t, resp, err); resp.StatusCode != 200 {
			t.Errorf("HEAD: %d", resp.StatusCode)
		}
	})
}

// TestEarlyAndContinue: a program that waits until it may send its body is told to,
// also where the server has another response before the one that counts.
func TestEarlyAndContinue(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rw.WriteHeader(103)
			_, _ = io.Copy(rw, r.Body)
		}, nil)
		c := w.client(two)
		for range 100 { // whichever of both comes first
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // the client itself waits longer
			r, err := http.NewRequestWithContext(ctx, "POST", w.url()+"/", strings.NewReader("text"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Expect", "100-continue")
			resp, err := c.Do(r)
			if text := body(t, resp, err); text != "text" {
				t.Errorf("%q", text)
			}
			cancel()
		}
	})
}

// TestBroken: a response that breaks off is not whole to the program either.
func TestBroken(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, "part")
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}, nil)
		resp, err := w.client(two).Get(w.url())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q was whole", b)
		}
	})
}

// TestUpgrade: a WebSocket goes through as a stream, what no WebSocket is does not.
func TestUpgrade(t *testing.T) {
	for _, allow := range []bool{true, false} {
		w := start(t, false, func(rw http.ResponseWriter, _ *http.Request) {
			c, rest, err := http.NewResponseController(rw).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: b\r\n\r\n")
			_, _ = io.Copy(c, rest)
		}, nil)
		w.deny = func(a request.Ask) bool { return a.Stream && !allow }
		c := w.connect()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: far.test\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\nfirst"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !allow {
			if resp.StatusCode != 403 || w.served() != nil {
				t.Errorf("%d", resp.StatusCode)
			}
			continue
		}
		for _, word := range []string{"first", "later"} {
			if word == "later" {
				_, _ = io.WriteString(c, word)
			}
			b := make([]byte, 5)
			if _, err := io.ReadFull(r, b); err != nil || string(b) != word {
				t.Errorf("%d: %q, %v", resp.StatusCode, b, err)
			}
		}
		if resp.Header.Get("X-A") != "b" {
			t.Errorf("header %v", resp.Header)
		}
		_ = c.Close()
		w.left.Wait()
		if len(w.told) != 1 || w.told[0].Status != 101 || w.told[0].In != 10 || w.told[0].Out != 10 {
			t.Errorf("told %+v", w.told)
		}
	}
}

// TestEvents: a stream of events is decided again, as a stream.
func TestEvents(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
			_, _ = io.WriteString(rw, "data: x\n\n")
		}, nil)
		w.deny = func(a request.Ask) bool { return a.Stream }
		resp, err := w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || strings.Contains(text, "data: x") {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
	})
}

// filler puts a value in, or refuses.
type filler struct {
	fail error
	to   request.Destination
}

func (f *filler) Bound(string, uint16) bool { return true }

func (f *filler) Fill(_ context.Context, d request.Destination, r *http.Request) (request.Scrubber, error) {
	f.to = d
	r.Header.Set("Authorization", "Bearer real")
	r.URL.RawQuery = "key=real"
	return scrubber{}, f.fail
}

type scrubber struct{}

func (scrubber) Header(h http.Header) {
	for k := range h {
		h[k] = []string{strings.ReplaceAll(h.Get(k), "real", "****")}
	}
}

func (scrubber) Body(b io.ReadCloser) io.ReadCloser {
	text, _ := io.ReadAll(b)
	return io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), "real", "****")))
}

// TestFiller: secrets are put in after the decision and toward a server that was
// verified, and are taken out of the answer.
func TestFiller(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		f := &filler{}
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-Echo", r.Header.Get("Authorization"))
			fmt.Fprint(rw, r.URL.RawQuery)
		}, func(c *request.Config) { c.Filler = f })
		resp, err := w.client(two).Get(w.url())
		if text := body(t, resp, err); text != "key=****" || resp.Header.Get("X-Echo") != "Bearer ****" {
			t.Errorf("%q %v", text, resp.Header)
		}
		if f.to.Host != "far.test" || !f.to.Loopback || (f.to.Scheme == "https") != secure {
			t.Errorf("filled for %+v", f.to)
		}
		f.fail = &request.Refused{Reason: "placeholder-misuse", Words: "not there"}
		w.served()
		resp, err = w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || !strings.Contains(text, "placeholder-misuse") || w.served() != nil {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
		f.fail = errors.New("some error with real in it")
		resp, err = w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || strings.Contains(text, "real") || w.served() != nil {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
	})
}

// TestNoAuthority: without certificates of its own a sandbox has no TLS opened.
func TestNoAuthority(t *testing.T) {
	w := start(t, true, func(http.ResponseWriter, *http.Request) {}, func(c *request.Config) { c.Authority = nil })
	c := w.connect()
	_ = tls.Client(c, &tls.Config{ServerName: "far.test", InsecureSkipVerify: true}).Handshake()
	_ = c.Close()
	w.left.Wait()
	if w.ends[0].Reason != request.NotGranted || w.dials != 0 {
		t.Errorf("%+v", w.ends[0])
	}
}

// TestAddresses: a connection to an address is for that address, however it is
// written.
func TestAddresses(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	for _, tc := range []struct{ host, header, want string }{
		{"192.0.2.1", "192.0.2.1:8080", "200"}, {"192.0.2.1", "192.0.2.1", "200"}, {"192.0.2.1", "[::ffff:192.0.2.1]", "200"},
		{"192.0.2.1", "192.0.2.2", "421"}, {"192.0.2.1", "3221225985", "421"}, {"192.0.2.1", "far.test", "421"}, {"192.0.2.1", "192.0.2.1:80", "421"},
		{"2001:db8::1", "[2001:db8::1]:8080", "200"}, {"2001:db8::1", "[2001:DB8:0::1]", "200"}, {"2001:db8::1", "[2001:db8::2]", "421"},
		{"far.test", "192.0.2.1", "421"},
	} {
		w.to = request.Destination{Host: tc.host, Port: 8080}
		answer := w.raw("GET / HTTP/1.1\r\nHost: " + tc.header + "\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 "+tc.want) {
			t.Errorf("%s, Host %s: %q, want %s", tc.host, tc.header, answer, tc.want)
		}
	}
}

// TestLong: whatever a program makes long, records of it are not.
func TestLong(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	long := strings.Repeat("a", 50<<10)
	for _, text := range []string{"GET /" + long + " HTTP/1.1\r\nHost: far.test", long + " / HTTP/1.1\r\nHost: far.test", "GET / HTTP/1.1\r\nHost: " + long} {
		w.raw(text + "\r\nConnection: close\r\n\r\n")
	}
	if len(w.told) != 3 || w.asks[0].Path != "/"+long {
		t.Fatalf("%d records", len(w.told))
	}
	for _, r := range w.told {
		if n := len(r.Method) + len(r.Path) + len(r.Why); n > 10<<10 {
			t.Errorf("a record of %d bytes", n)
		}
	}
}

// TestQuery: what HTTP/2 carries in a query ends no request line of HTTP/1.1.
func TestQuery(t *testing.T) {
	w := startAs(t, true, []string{"http/1.1"}, func(http.ResponseWriter, *http.Request) {}, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url()+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = "x HTTP/1.1\u00e9\"#"
	resp, err := w.client(true).Do(r)
	if body(t, resp, err); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if got, want := w.served(), []string{`GET far.test /a?x%20HTTP/1.1%C3%A9"%23`}; !slices.Equal(got, want) {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

// speak is a program's connection, with TLS where the server has it.
func (w *world) speak() net.Conn {
	w.t.Helper()
	c := w.connect()
	if !w.tls {
		return c
	}
	return tls.Client(c, &tls.Config{ServerName: "far.test", RootCAs: w.ours})
}
