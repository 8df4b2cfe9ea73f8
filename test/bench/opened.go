package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What opening connections for rules about requests may cost, beside passing
// them through.
const (
	openedTarget = 2 * time.Millisecond
	openedRate   = 0.9
	secretTarget = 200 * time.Microsecond // what putting a secret in may cost, beside opening
)

// secretVariable has the placeholder of a secret, where requests are to carry one.
const secretVariable = "BENCH_TOKEN"

// opened is what was found of one way to fetch over TLS.
type opened struct {
	Request samples   // on a kept connection
	New     samples   // with a connection of its own
	Rate    []float64 // requests a second, of several at once
	Two     []float64 // the same by HTTP/2, on one connection
	Work    []float64 // the same as Rate, from a server that takes its time
	WorkTwo []float64 // the same as Two, from such a server
	Down    []float64 // Gbit/s of one body
}

const (
	openedCount = 100
	openedRush  = 400 // requests of rushers at once
	rushers     = 8
	workTime    = time.Millisecond // that a server has with one of them, which is little for one
	openedBody  = 64 << 20
)

// secure is a server of the host with TLS and a certificate of its own.
type secure struct {
	server *http.Server
	port   string
	pem    []byte
}

func newSecure() (*secure, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		DNSNames: []string{grantedHost}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	body := make([]byte, openedBody)
	s := &secure{port: port(l), pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/work":
				time.Sleep(workTime)
			case "/body":
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				_, _ = w.Write(body) // who hangs up is not measured
				return
			}
			_, _ = io.WriteString(w, "ok")
		})}
	go func() { _ = s.server.ServeTLS(l, "", "") }()
	return s, nil
}

// opened measures requests over TLS: plain, passed through, opened, and by way of
// mitmproxy where it is there.
func (m *measurer) opened() error {
	self, err := m.program()
	if err != nil {
		return err
	}
	s, err := newSecure()
	if err != nil {
		return err
	}
	defer s.server.Close() //nolint:errcheck // nobody is there any more
	roots := m.in("far.pem")
	if err := os.WriteFile(roots, s.pem, 0o644); err != nil {
		return err
	}
	env := append(m.environment(), "SSL_CERT_FILE="+roots)
	inside := func(grant string) []string {
		return []string{m.ambit, "run", "--allow", "fs.read:" + m.one, "--allow", "net.connect:" + grantedHost + ":" + s.port + grant, "--", self, "inside"}
	}
	ways := []way{
		{name: "plain", host: "127.0.0.1", argv: []string{self, "inside"}, roots: s.pem},
		{name: "ambit, passed through", host: grantedHost, argv: inside(""), roots: s.pem},
		{name: "ambit, opened", host: grantedHost, argv: inside("/http:GET")}, // there the sandbox trusts what it has to
		{name: "ambit, with a secret", host: grantedHost, argv: slices.Insert(inside(""), 2, "--allow", "secret.use:bench-token@"+grantedHost+":"+s.port)},
	}
	by, err := m.mitmproxy(roots)
	if err != nil {
		say("  left out: mitmproxy: %v", err)
		m.Left = append(m.Left, fmt.Sprintf("mitmproxy (%v)", err))
	} else {
		defer by.stop()
		ways = append(ways, way{name: "mitmproxy " + by.version, host: "127.0.0.1", argv: []string{self, "inside"}, roots: by.pem, proxy: by.at})
	}
	set := exec.Command(m.ambit, "secret", "set", "bench-token", "--for", grantedHost+":"+s.port)
	set.Env, set.Stdin = env, strings.NewReader("a secret of the measurement")
	if out, err := set.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	m.Opened = map[string]*opened{}
	live := map[string]*running{}
	defer func() {
		for _, r := range live {
			_ = r.stop() // what it measured is there
		}
	}()
	for _, w := range ways {
		r, err := launch(w.argv, env, m.out)
		if err != nil {
			return err
		}
		live[w.name], m.Opened[w.name] = r, &opened{}
		m.Ways = append(m.Ways, w.name)
	}
	return m.turns(m.rounds, len(ways), func(i int) error {
		w := ways[i]
		return m.Opened[w.name].round(live[w.name], order{To: w.host + ":" + s.port, Roots: w.roots, Proxy: w.proxy})
	})
}

// way is one way to fetch over TLS.
type way struct {
	name, host string
	argv       []string
	roots      []byte // that the program trusts, as PEM; nil: what its surroundings do
	proxy      string
}

// round measures one way once.
func (t *opened) round(r *running, o order) error {
	for _, one := range []struct {
		op    string
		path  string
		two   bool
		count int
		took  *samples
		rate  *[]float64
	}{
		{"secure", "", false, openedCount, &t.Request, nil},
		{"secure new", "", false, openedCount / 4, &t.New, nil},
		{"secure rush", "", false, openedRush, nil, &t.Rate},
		{"secure rush", "", true, openedRush, nil, &t.Two},
		{"secure rush", "work", false, openedRush, nil, &t.Work},
		{"secure rush", "work", true, openedRush, nil, &t.WorkTwo},
		{"secure body", "body", false, 1, nil, &t.Down},
	} {
		o.Op, o.Path, o.Two, o.Count = one.op, one.path, one.two, one.count
		f, err := r.do(o)
		if err != nil {
			return err
		}
		if one.took != nil {
			*one.took = append(*one.took, f.Took...)
			continue
		}
		per := float64(f.Bytes) / f.For.Seconds()
		if one.op == "secure body" {
			per *= 8 / 1e9
		}
		*one.rate = append(*one.rate, per)
	}
	return nil
}

// secureClient is an HTTP client that trusts what the order says, or what the
// program's surroundings do.
func (o order) secureClient() (*http.Client, error) {
	// One protocol for all ways: of itself a client that was given roots speaks
	// another one than a client that was not.
	var p http.Protocols
	p.SetHTTP1(!o.Two)
	p.SetHTTP2(o.Two)
	t := &http.Transport{MaxIdleConnsPerHost: rushers, Protocols: &p}
	if o.Proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: o.Proxy})
	}
	if len(o.Roots) > 0 {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(o.Roots) {
			return nil, errors.New("no certificates")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &http.Client{Transport: t}, nil
}

// secure makes requests over TLS, in the way of the order.
func (o order) secure() (f finding, err error) {
	c, err := o.secureClient()
	if err != nil {
		return f, err
	}
	defer c.CloseIdleConnections()
	switch o.Op {
	case "secure body":
		began := time.Now()
		r, err := c.Get("https://" + o.To + "/" + o.Path)
		if err != nil {
			return f, err
		}
		f.Bytes, err = io.Copy(io.Discard, r.Body)
		f.For = time.Since(began)
		return f, errors.Join(err, r.Body.Close())
	case "secure rush":
		return o.rush(c)
	}
	for i := range o.Count + 1 {
		if o.Op == "secure new" {
			c.CloseIdleConnections()
		}
		began := time.Now()
		if err := o.get(c); err != nil {
			return f, err
		}
		if i > 0 {
			f.Took = append(f.Took, time.Since(began))
		}
	}
	return f, nil
}

func (o order) get(c *http.Client) error {
	req, err := http.NewRequest(http.MethodGet, "https://"+o.To+"/"+o.Path, http.NoBody)
	if err != nil {
		return err
	}
	if token := os.Getenv(secretVariable); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	r, err := c.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil || string(text) != "ok" {
		return fmt.Errorf("%s with %q: %w", r.Status, text, err)
	}
	return nil
}

// rush makes requests on several connections at once.
func (o order) rush(c *http.Client) (f finding, err error) {
	var all sync.WaitGroup
	failed := make(chan error, rushers)
	began := time.Now()
	for range rushers {
		all.Go(func() {
			for range o.Count / rushers {
				if err := o.get(c); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	f.Bytes, f.For = int64(o.Count), time.Since(began)
	return f, <-failed
}

// openedVerdicts judges what opening costs.
func (r *results) openedVerdicts() (all []verdict) {
	ours, through := r.Opened["ambit, opened"], r.Opened["ambit, passed through"]
	if ours == nil || through == nil || len(ours.Request) == 0 || len(through.Request) == 0 {
		return nil
	}
	secret := r.Opened["ambit, with a secret"]
	if secret == nil || len(secret.Request) == 0 {
		return nil
	}
	put := secret.Request.median() - ours.Request.median()
	more := ours.Request.median() - through.Request.median()
	all = []verdict{
		{"requests: one on a kept, opened connection", "+" + us(more) + " µs", "≤ " + us(openedTarget) + " µs more than passed through", more <= openedTarget},
		{"requests: a secret put in, on a kept connection", "+" + us(put) + " µs", "≤ " + us(secretTarget) + " µs more than opened", put <= secretTarget},
	}
	for _, one := range []struct {
		what          string
		ours, through []float64
	}{
		{"requests: a second, opened, from a server that takes microseconds", ours.Rate, through.Rate},
		{"the same by HTTP/2, on one connection", ours.Two, through.Two},
		{"requests: a second, opened, from a server that takes " + ms(workTime) + " ms", ours.Work, through.Work},
		{"the same by HTTP/2, on one connection, from a server that takes " + ms(workTime) + " ms", ours.WorkTwo, through.WorkTwo},
	} {
		ratio := over(one.ours, one.through)
		all = append(all, verdict{one.what, times(ratio), "≥ " + times(openedRate) + " passed through", ratio >= openedRate})
	}
	return all
}

// openedTables are the rows of what was found.
func (r *results) openedTables(p func(string, ...any), table, row func(...string)) {
	if len(r.Opened) == 0 {
		return
	}
	p("\n## Requests\n\n")
	p("Requests over TLS to a server on the host's loopback. Opened means that there are rules for requests: TLS is ended on the way, and each request is decided, by an answer that stands or anew, and recorded. With a secret its use is decided each time, durably, its value read from the vault and put in, and the answer searched for it. mitmproxy is a proxy that the program has to use, which ends TLS and decides and records nothing. ")
	p("At once: %d requests on %d connections, or by HTTP/2 on one, to a server that answers in microseconds, so that what is between them is all there is; and to one that takes %s ms for each. The connections are new ones each time. Medians, in brackets the best.\n\n", openedRush, rushers, ms(workTime))
	table("", "kept connection, µs", "new connection, µs", "at once, requests/s", "by HTTP/2, requests/s", "from a server that takes "+ms(workTime)+" ms, requests/s", "from it by HTTP/2, requests/s", "one body, Gbit/s")
	for _, name := range r.Ways {
		t := r.Opened[name]
		cells := []string{name}
		for _, s := range []samples{t.Request, t.New} {
			cells = append(cells, fmt.Sprintf("%s (%s)", us(s.median()), us(s.min())))
		}
		for _, rate := range [][]float64{t.Rate, t.Two, t.Work, t.WorkTwo} {
			cells = append(cells, fmt.Sprintf("%.0f (%.0f)", middle(rate), best(rate, slices.Max[[]float64])))
		}
		row(append(cells, fmt.Sprintf("%.2f (%.2f)", middle(t.Down), best(t.Down, slices.Max[[]float64])))...)
	}
}
