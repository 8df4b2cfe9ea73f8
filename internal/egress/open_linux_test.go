package egress_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/request/authority"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// fetch makes requests one after the other: METHOD URL…, with the certificates of
// a file.
func fetch(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	roots := x509.NewCertPool()
	if b, err := os.ReadFile(args[0]); err == nil {
		roots.AppendCertsFromPEM(b)
	}
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer c.CloseIdleConnections()
	var all []string
	for i := 1; i+1 < len(args); i += 2 {
		r, err := http.NewRequestWithContext(ctx, args[i], args[i+1], nil)
		if err != nil {
			return "", err
		}
		resp, err := c.Do(r)
		if err != nil {
			return tell(begun, strings.Join(all, " "), err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return tell(begun, strings.Join(all, " "), err)
		}
		text := string(b)
		if resp.StatusCode != 200 {
			text = fmt.Sprint(resp.StatusCode)
		}
		all = append(all, text)
	}
	return tell(begun, strings.Join(all, " "), nil)
}

// linger reads a stream until it breaks off, and says how much came.
func linger(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return tell(begun, "", err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	n := 0
	for lines.Scan() {
		n++
	}
	return tell(begun, fmt.Sprint(n), lines.Err())
}

// An opened is a world with rules for requests to web.test, and a server there.
type opened struct {
	*world
	ca      string
	port    string
	mu      sync.Mutex
	seen    []string          // guarded by mu
	rules   egress.Rules      // guarded by mu
	told    []egress.Request  // guarded by mu
	streams chan struct{}     // a stream has begun
	visits  map[string]func() // guarded by mu; called when a path is asked for; the server's connection ends with that
}

// at has something done when a path is asked for.
func (o *opened) at(path string, do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.visits == nil {
		o.visits = map[string]func(){}
	}
	o.visits[path] = do
}

func open(t *testing.T, secure bool, grants []string, change func(*egress.Config)) *opened {
	t.Helper()
	o := &opened{ca: filepath.Join(shared(t), "ca.pem"), streams: make(chan struct{}, 9)}
	theirs, ours := newAuthority(t), newAuthority(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(o.serve)}
	if secure {
		leaf, err := theirs.Leaf("web.test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*leaf}})
	}
	go s.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	o.port = fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	write(t, o.ca, string(ours.PEM()))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(theirs.PEM())
	for i := range grants {
		grants[i] = strings.ReplaceAll(grants[i], "PORT", o.port)
		if c, err := capability.Parse(grants[i]); err != nil {
			t.Fatal(err)
		} else if c.Requests() {
			o.rules.Permit = append(o.rules.Permit, c)
		}
	}
	o.world = start(t, linktest.Options{}, append(grants, "net.connect:127.0.0.1:"+o.port), func(c *egress.Config) {
		c.Rules = func() egress.Rules {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.rules
		}
		c.Requests = request.Config{Authority: ours, Roots: func() *x509.CertPool { return roots }}
		c.Told = func(r egress.Request) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.told = append(o.told, r)
		}
		if change != nil {
			change(c)
		}
	})
	o.hosts.set("web.test", "127.0.0.1")
	return o
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

func (o *opened) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.seen = append(o.seen, r.Method+" "+r.URL.Path)
	visited := o.visits[r.URL.Path]
	o.mu.Unlock()
	if visited != nil {
		w.Header().Set("Connection", "close")
		visited()
	}
	if r.URL.Path == "/from" {
		_, _ = io.WriteString(w, r.RemoteAddr)
		return
	}
	if r.URL.Path != "/stream" {
		_, _ = io.WriteString(w, "ok")
		return
	}
	for i := 0; r.Context().Err() == nil; i++ {
		_, _ = io.WriteString(w, "tick\n")
		_ = http.NewResponseController(w).Flush()
		if i == 3 {
			o.streams <- struct{}{}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (o *opened) served() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = nil
	return seen
}

// TestOpened: requests of an opened connection are decided one by one; a
// destination of which no request is permitted is refused at once.
func TestOpened(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			o := open(t, secure, []string{"net.connect:web.test:PORT/http:GET:/a/**", "net.connect:other.test:PORT/http:GET"}, nil)
			url := "http://web.test:" + o.port
			if secure {
				url = "https://web.test:" + o.port
			}
			got := o.see(t, "fetch", o.ca, "GET", url+"/a/b", "POST", url+"/a/b", "GET", url+"/b", "GET", url+"/a/%2e%2e/b", "GET", url+"/a")
			if got.Text != "ok 403 403 403 ok" {
				t.Errorf("%+v", got)
			}
			if seen := o.served(); !slices.Equal(seen, []string{"GET /a/b", "GET /a"}) {
				t.Errorf("the server saw %q", seen)
			}
			to := "net.connect:web.test:" + o.port
			// What the rule covers was decided with the connection.
			if got, want := o.gate.requests(), []string{to + "/http:GET:/a/**", "net.connect:127.0.0.1:" + o.port,
				to + "/http:POST:/a/b", to + "/http:GET:/b", to + "/http:GET"}; !slices.Equal(got, want) {
				t.Errorf("put %q, want %q", got, want)
			}
			// Another port of it has no rule, and is refused as ever.
			if got := o.see(t, "tcp", "web.test:1", "x"); !strings.Contains(got.Err, "refused") {
				t.Errorf("%+v", got)
			}
			// A rule whose grant is gone leads nowhere.
			o.gate.grant("net.connect:127.0.0.1:" + o.port)
			o.plane.Recheck()
			if got := o.see(t, "fetch", o.ca, "GET", url+"/a/b"); !strings.Contains(got.Err, "refused") {
				t.Errorf("without the grant: %+v", got)
			}
			if seen := o.served(); seen != nil {
				t.Errorf("the server saw %q", seen)
			}
		})
	}
}

// TestOpenedClass: a rule for a name leads to addresses as a grant for it does.
func TestOpenedClass(t *testing.T) {
	o := open(t, false, []string{"net.connect:web.test:PORT/http"}, nil)
	o.gate.grant("net.connect:web.test:" + o.port + "/http")
	if got := o.see(t, "fetch", o.ca, "GET", "http://web.test:"+o.port+"/"); got.Text != "502" || o.served() != nil {
		t.Errorf("%+v", got)
	}
	o.gate.grant("net.connect:web.test:"+o.port+"/http", "net.connect:127.0.0.1:"+o.port)
	if got := o.see(t, "fetch", o.ca, "GET", "http://web.test:"+o.port+"/"); got.Text != "ok" {
		t.Errorf("the control: %+v", got)
	}
}

// hesitate connects, sends the first byte of TLS, and closes a while later.
func hesitate(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	_, err = c.Write([]byte{22})
	time.Sleep(300 * time.Millisecond)
	_ = c.Close()
	return tell(begun, "", err)
}

// TestOpenedSettle: what a program said last over an opened connection is heard,
// also where no server was reached for it yet.
func TestOpenedSettle(t *testing.T) {
	o := open(t, true, []string{"net.connect:web.test:PORT/http"}, nil)
	go func() { _, _ = o.Do("hesitate", "web.test:"+o.port) }()
	until(t, "the connection has its first byte", func() bool { f := o.plane.Flows(); return len(f) == 1 && f[0].Out == 1 })
	o.plane.Settle(time.Minute)
	o.plane.Close()
	if f := o.tape.ended(t, 1)[0]; f.End == egress.Stopped || !f.Connected.IsZero() {
		t.Errorf("%+v", f)
	}
}

// TestOpenedWithdrawn: a request that goes on ends when what permitted it is no
// longer granted, and a connection that is passed through when a rule comes up.
func TestOpenedWithdrawn(t *testing.T) {
	for name, tc := range map[string]struct {
		grants []string
		change func(o *opened)
	}{
		"a request": {[]string{"net.connect:web.test:PORT/http:GET"}, func(o *opened) {
			o.gate.grant("net.connect:127.0.0.1:"+o.port, "net.connect:web.test:"+o.port+"/http:GET:/other")
		}},
		"a flow that is to be opened": {[]string{"net.connect:web.test:PORT"}, func(o *opened) {
			c, err := capability.Parse("net.connect:web.test:" + o.port + "/http:DELETE")
			if err != nil {
				t.Fatal(err)
			}
			o.mu.Lock()
			o.rules.Deny = []capability.Capability{c}
			o.mu.Unlock()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, false, tc.grants, nil)
			done := make(chan outcome, 1)
			go func() { done <- o.see(t, "linger", "http://web.test:"+o.port+"/stream") }()
			<-o.streams
			o.plane.Recheck()
			select {
			case got := <-done:
				t.Fatalf("it ended though nothing has changed: %+v", got)
			default:
			}
			tc.change(o)
			o.plane.Recheck()
			if got := <-done; got.Err == "" {
				t.Errorf("it ended well: %+v", got)
			}
			if f := o.tape.ended(t, 1)[0]; f.End != egress.Withdrawn {
				t.Errorf("%+v", f)
			}
		})
	}
}

// asker answers questions with a grant, or not.
type grantAsker struct {
	mu    sync.Mutex
	asked []string // guarded by mu
	yes   func(q egress.Question)
}

func (a *grantAsker) Ask(_ context.Context, q egress.Question) error {
	a.mu.Lock()
	a.asked = append(a.asked, q.Request.Capability.String())
	a.mu.Unlock()
	a.yes(q)
	return nil
}

// TestOpenedAsked: a request beside the rules waits while a person is asked.
func TestOpenedAsked(t *testing.T) {
	a := &grantAsker{}
	o := open(t, false, []string{"net.connect:web.test:PORT/http:GET:/a"}, func(c *egress.Config) { c.Asker = a })
	base := []string{"net.connect:127.0.0.1:" + o.port, "net.connect:web.test:" + o.port + "/http:GET:/a"}
	a.yes = func(q egress.Question) {
		if strings.Contains(q.Request.Capability.String(), "POST") {
			o.gate.grant(append(base, q.Request.Capability.String())...)
		}
	}
	url := "http://web.test:" + o.port
	if got := o.see(t, "fetch", o.ca, "POST", url+"/x", "GET", url+"/y"); got.Text != "ok 403" {
		t.Errorf("%+v", got)
	}
	to := "net.connect:web.test:" + o.port
	a.mu.Lock()
	defer a.mu.Unlock()
	if want := []string{to + "/http:POST:/x", to + "/http:GET:/y"}; !slices.Equal(a.asked, want) {
		t.Errorf("asked %q, want %q", a.asked, want)
	}
	if seen := o.served(); !slices.Equal(seen, []string{"POST /x"}) {
		t.Errorf("the server saw %q", seen)
	}
}

// TestOpenedDatagrams: QUIC is closed to a destination with rules, though UDP there
// was granted; without rules it is not.
func TestOpenedDatagrams(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	for _, rules := range []bool{true, false} {
		grants := []string{"net.connect:web.test:" + port + "/udp"}
		if rules {
			grants = append(grants, "net.connect:web.test:"+port+"/http")
		}
		o := open(t, false, grants, nil)
		o.gate.grant(append(grants, "net.connect:127.0.0.1:"+port+"/udp")...)
		got := o.see(t, "udp", "web.test:"+port, "x")
		if ok := got.Err == ""; ok == rules {
			t.Errorf("rules %v: %+v", rules, got)
		}
	}
}

// TestOpenedBound: a bound secret opens a connection that is granted as a whole.
func TestOpenedBound(t *testing.T) {
	f := &stamper{}
	o := open(t, false, []string{"net.connect:web.test:PORT"}, func(c *egress.Config) { c.Requests.Filler = f })
	if got := o.see(t, "fetch", o.ca, "PUT", "http://web.test:"+o.port+"/x"); got.Text != "ok" || f.filled.Load() != 1 {
		t.Errorf("%+v, filled %d", got, f.filled.Load())
	}
	o.tape.ended(t, 1) // and so have its requests
	if told := o.ended(); len(told) != 1 || told[0].Status != 200 {
		t.Errorf("told %+v", told)
	}
}

// ended are the requests that have ended.
func (o *opened) ended() (all []egress.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.told {
		if !r.Ended.IsZero() {
			all = append(all, r)
		}
	}
	return all
}

type stamper struct{ filled atomic.Int64 }

func (s *stamper) Bound(host string, _ uint16) bool { return host == "web.test" }

func (s *stamper) Fill(context.Context, request.Destination, *http.Request) (request.Scrubber, error) {
	s.filled.Add(1)
	return nil, nil
}
