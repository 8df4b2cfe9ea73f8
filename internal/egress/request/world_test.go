package request_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
	denied func(a request.Ask) bool // where the server is

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
	w := &world{t: t, tls: secure, ours: x509.NewCertPool(), deny: func(request.Ask) bool { return false }, denied: func(request.Ask) bool { return false }}
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

func (w *world) Leads(_ context.Context, a request.Ask) request.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.denied(a) {
		return request.Answer{Decision: "d-3", Capability: "c", Why: "it leads there"}
	}
	return request.Answer{Allowed: w.dials > 0}
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

// speak is a program's connection, with TLS where the server has it.
func (w *world) speak() net.Conn {
	w.t.Helper()
	c := w.connect()
	if !w.tls {
		return c
	}
	return tls.Client(c, &tls.Config{ServerName: "far.test", RootCAs: w.ours})
}
