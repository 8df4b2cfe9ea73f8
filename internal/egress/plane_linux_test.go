package egress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gvisor.dev/gvisor/pkg/tcpip"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/egress/frame"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

func TestMain(m *testing.M) {
	os.Exit(linktest.Main(context.Background(), m, map[string]linktest.Op{
		"tcp": dialTCP, "give up": giveUp, "udp": dialUDP, "lookup": lookup, "flood": flood, "pings": pings, "raw": raw, "hold": hold,
		"sum": sum, "later": later, "break": breakOff, "vanish": vanish, "stuff": stuff, "sleep": sleep, "crowd": crowd, "names": names, "serve": serve, "tls": dialTLS, "fetch": fetch, "linger": linger, "dribble": dribble, "hesitate": hesitate, "listen first": listenFirst, "records": lookupRecords,
	}))
}

// A gate decides as the real one does, by grants that tests change, and notes
// what it was asked.
type gate struct {
	mu     sync.Mutex
	grants []string           // guarded by mu
	asked  []decision.Request // guarded by mu
	before func()             // guarded by mu; called for each request
}

func (g *gate) Check(_ context.Context, r decision.Request) decision.Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.ID = fmt.Sprintf("d-%d", len(g.asked))
	g.asked = append(g.asked, r)
	if g.before != nil {
		g.before()
	}
	in := decision.Input{Manifest: manifest.AdHoc(nil), Now: time.Now()}
	for _, text := range g.grants {
		c, err := capability.Parse(text)
		if err != nil {
			return decision.Failed(r, err)
		}
		in.Grants = append(in.Grants, grant.Grant{ID: "g-" + text, Principal: "u", Capability: c, Outcome: grant.Allow, Lifespan: grant.Lifespan{Span: grant.Always}})
	}
	return decision.Decide(r, in)
}

// between has do called for each request, one at a time.
func (g *gate) between(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before = do
}

func (g *gate) grant(texts ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grants = texts
}

// requests are the capabilities that were asked for.
func (g *gate) requests() (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.asked {
		all = append(all, r.Capability.String())
	}
	return all
}

// A hosts resolves names from a table that tests change.
type hosts struct {
	mu  sync.Mutex
	all map[string][]string // guarded by mu
	n   int                 // guarded by mu; lookups
}

func (h *hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	var addrs []netip.Addr
	for _, a := range h.all[strings.TrimSuffix(host, ".")] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	if addrs == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func (h *hosts) LookupTXT(_ context.Context, name string) ([]string, error) {
	return []string{"text of " + name, strings.Repeat("x", 300)}, nil
}

func (h *hosts) LookupMX(_ context.Context, _ string) ([]*net.MX, error) {
	return []*net.MX{{Host: "mail.test.", Pref: 7}}, nil
}

func (h *hosts) LookupNS(_ context.Context, _ string) ([]*net.NS, error) {
	return []*net.NS{{Host: "ns.test."}}, nil
}

func (h *hosts) LookupSRV(_ context.Context, _, _, name string) (string, []*net.SRV, error) {
	return name, []*net.SRV{{Target: "srv.test.", Port: 99}}, nil
}

func (h *hosts) LookupCNAME(_ context.Context, name string) (string, error) {
	return "", &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (h *hosts) set(name string, addrs ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[name] = addrs
}

// A tape keeps what was recorded.
type tape struct {
	mu  sync.Mutex
	all []egress.Flow // guarded by mu
}

func (r *tape) Record(f egress.Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, f)
}

// ended returns the flows that have ended, once there are n.
func (r *tape) ended(t *testing.T, n int) []egress.Flow {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		var all []egress.Flow
		for _, f := range r.all {
			if f.End != "" {
				all = append(all, f)
			}
		}
		r.mu.Unlock()
		if len(all) >= n {
			return all
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Fatalf("not %d flows have ended: %+v", n, r.all)
	return nil
}

// until waits for something that comes, however loaded the machine is.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come that %s", what)
		}
	}
}

// world is a sandbox, its plane, and what the plane rests on.
type world struct {
	*linktest.Sandbox
	plane *egress.Plane
	gate  *gate
	hosts *hosts
	tape  *tape
}

// start makes a world. change may change what the plane is made of.
func start(t testing.TB, o linktest.Options, grants []string, change func(*egress.Config)) *world {
	t.Helper()
	w := &world{Sandbox: linktest.Start(t, o), gate: &gate{grants: grants}, hosts: &hosts{all: map[string][]string{}}, tape: &tape{}}
	var granted []capability.Capability
	for _, text := range grants {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		granted = append(granted, c)
	}
	opt := frame.Options{MTU: link.MTU, Header: w.Setup.Header}
	open := frame.Tun
	if w.Setup.Frames {
		opt.Ethernet, opt.Guest = true, tcpip.LinkAddress(link.GuestMAC[:])
		open = frame.Socket
	}
	l, err := open(w.Ends.Link, opt)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := inside.OpenSockets(w.Ends.Diag)
	if err != nil {
		t.Fatal(err)
	}
	cfg := egress.Config{
		Link: l, Subject: decision.Subject{Principal: "u", Session: "s"}, Checker: w.gate, Known: egress.Names(granted), Lookups: egress.Lookups(granted),
		Recorder: w.tape, Sockets: sockets, Resolver: w.hosts,
		Program: func(s inside.Socket) inside.Program { return inside.FindProgram(w.PID, 0, s.Inode) },
		Host:    func() []netip.Prefix { return nil },
	}
	dialer := inside.NewDialer(w.Ends.Seeds)
	cfg.Insider = dialer
	if change != nil {
		change(&cfg)
	}
	leaks := goleak.IgnoreCurrent()
	if w.plane, err = egress.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.plane.Close()
		_ = sockets.Close()
		_ = dialer.Close()
		w.End()
		var left error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if left = goleak.Find(leaks); left == nil {
				return
			}
		}
		t.Errorf("left behind: %v", left)
	})
	return w
}

// outcome is what a program inside saw.
type outcome struct {
	Text string
	Took time.Duration
	Err  string
}

func tell(begun time.Time, text string, err error) (string, error) {
	o := outcome{Text: text, Took: time.Since(begun)}
	if err != nil {
		o.Err = err.Error()
	}
	b, err := json.Marshal(o)
	return string(b), err
}

// gives has what makes the last connecting to an address give up.
var gives sync.Map

// giveUp ends the connecting to an address that is under way.
func giveUp(_ context.Context, args []string) (string, error) {
	give, ok := gives.Load(args[0])
	if !ok {
		return "", fmt.Errorf("nothing connects to %s", args[0])
	}
	give.(context.CancelFunc)()
	return "", nil
}

// dialTCP connects, sends, says that this is all, and reads to the end.
func dialTCP(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	ctx, give := context.WithTimeout(ctx, 50*time.Second)
	defer give()
	gives.Store(args[0], give)
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(50 * time.Second))
	if _, err := io.WriteString(c, args[1]); err != nil {
		return tell(begun, "", err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	return tell(begun, string(b), err)
}

// dialUDP sends datagrams and reads as many answers.
func dialUDP(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(50 * time.Second))
	var got []string
	for _, text := range args[1:] {
		if _, err := io.WriteString(c, text); err != nil {
			return tell(begun, "", err)
		}
	}
	for range args[1:] {
		b := make([]byte, 65536)
		n, err := c.Read(b)
		if err != nil {
			return tell(begun, strings.Join(got, " "), err)
		}
		got = append(got, string(b[:n]))
	}
	return tell(begun, strings.Join(got, " "), nil)
}

func lookup(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	all, err := net.DefaultResolver.LookupHost(ctx, args[0])
	slices.Sort(all)
	return tell(begun, strings.Join(all, " "), err)
}

func (w *world) see(t *testing.T, op string, args ...string) outcome {
	t.Helper()
	text, err := w.Do(op, args...)
	if err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// echo is a server of the host that answers each connection with what it was
// sent.
func echo(t testing.TB, network, at string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, err := io.ReadAll(c)
				if err == nil {
					_, _ = c.Write(append([]byte("echo "), b...))
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestTCP(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	for name, o := range linktest.Kinds() {
		t.Run(name, func(t *testing.T) {
			w := start(t, o, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, nil)
			w.hosts.set("a.test", "127.0.0.1")
			if got := w.see(t, "tcp", "a.test:"+port, "hello"); got.Text != "echo hello" {
				t.Errorf("%+v", got)
			}
			f := w.tape.ended(t, 1)[0]
			if f.End != egress.Done || f.Name != "a.test" || f.Dialled != server || f.Out != 5 || f.In != 10 || f.Program.PID != w.PID {
				t.Errorf("%+v", f)
			}
		})
	}
}
