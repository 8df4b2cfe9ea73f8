package egress_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

const refused = "connection refused"

// quick is how long a refusal may take on the most loaded machine: less than any
// wait of the plane for something that does not come.
const quick = 8 * time.Second

func TestRefusals(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port, "net.connect:*:" + port}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	for _, to := range []string{
		"a.test:1", "a.test:443", // another port
		"1.1.1.1:443", "[2606:4700::1]:443", // no grant for the port
		"10.0.0.1:" + port, "169.254.169.254:" + port, "100.64.0.1:" + port, "192.168.1.1:" + port, // not public
		"[fd00::1]:" + port, "[fd00:ec2::254]:" + port, "[64:ff9b::7f00:1]:" + port, "[2002:7f00:1::]:" + port, "[64:ff9b::a9fe:a9fe]:" + port,
		"198.19.255.2:80", "198.19.255.3:80", "198.19.255.3:" + port, "[2001:2::2]:" + port, // the link
		"198.18.200.1:" + port, "198.19.0.1:" + port, // of the pool, without a name
	} {
		got := w.see(t, "tcp", to, "x")
		if !strings.Contains(got.Err, refused) && !strings.Contains(got.Err, "network is unreachable") || got.Took > quick {
			t.Errorf("%s: %+v", to, got)
		}
	}
	for _, f := range w.tape.ended(t, 10) {
		if f.End != egress.NotGranted && f.End != egress.Class || !f.Connected.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	until(t, "no flow lives", func() bool { return len(w.plane.Flows()) == 0 })
}

// TestFirstPackets: the first thing that a program does is answered, however soon
// after the start that is: no packet is lost while the kernel gets round to the
// link. They are datagrams, which nobody sends again: one that is lost is never
// answered, where a connection would only be late.
func TestFirstPackets(t *testing.T) {
	for i := range 20 {
		for name, o := range linktest.Kinds() {
			w := start(t, o, []string{"net.connect:a.test:1"}, nil)
			if i%2 == 0 {
				const query = "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\x00\x00\x01\x00\x01"
				if got := w.see(t, "udp", linktest.Nameserver+":53", query); got.Text == "" {
					t.Errorf("%s: a lookup: %+v", name, got)
				}
			} else if got := w.see(t, "udp", "[2606:4700::1]:443", "x"); !strings.Contains(got.Err, refused) && !strings.Contains(got.Err, "unreachable") {
				t.Errorf("%s: a datagram: %+v", name, got)
			}
			w.plane.Close()
			w.End()
		}
	}
}

// remembered is how long a refusal is repeated without being put again.
const remembered = 2 * time.Second

// TestUnknownNames: a name that may not be known is not there, at once, and the
// lookup is put as a request, once.
func TestUnknownNames(t *testing.T) {
	w := start(t, linktest.Options{}, []string{"net.connect:a.test"}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	begun := time.Now()
	for range 3 {
		got := w.see(t, "lookup", "secret-bytes.evil.test")
		if !strings.Contains(got.Err, "no such host") || got.Took > quick {
			t.Errorf("%+v", got)
		}
	}
	again := int(time.Since(begun) / remembered)
	for _, n := range []string{"evil-a.test", "a.test.evil.test", "b.a.test", "use-application-dns.net", "test", "2130706433", "0x7f.1"} {
		if got := w.see(t, "lookup", n); got.Err == "" || got.Took > quick {
			t.Errorf("%s: %+v", n, got)
		}
	}
	if got := w.see(t, "lookup", "a.test"); got.Text != "198.18.0.1" {
		t.Errorf("%+v", got)
	}
	want := []string{"secret-bytes.evil.test", "evil-a.test", "a.test.evil.test", "b.a.test", "test"}
	for i, n := range want {
		want[i] = "net.connect:" + n
	}
	until(t, "the last name is put", func() bool { return slices.Contains(w.gate.requests(), want[4]) })
	got := w.gate.requests()
	if more := len(got) - len(want); more > again || !slices.Equal(slices.Compact(got), want) {
		t.Errorf("requests %q, %d could be put again", w.gate.requests(), again)
	}
	w.hosts.mu.Lock()
	defer w.hosts.mu.Unlock()
	if w.hosts.n != 0 {
		t.Errorf("%d lookups left the machine", w.hosts.n)
	}
}

// lookupRecords looks records of other types up.
func lookupRecords(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	var got string
	var err error
	switch args[1] {
	case "TXT":
		var all []string
		all, err = net.DefaultResolver.LookupTXT(ctx, args[0])
		got = strings.Join(all, " ")
	case "MX":
		var all []*net.MX
		if all, err = net.DefaultResolver.LookupMX(ctx, args[0]); err == nil {
			got = fmt.Sprint(all[0].Host, all[0].Pref)
		}
	case "NS":
		var all []*net.NS
		if all, err = net.DefaultResolver.LookupNS(ctx, args[0]); err == nil {
			got = all[0].Host
		}
	case "A", "AAAA":
		var all []netip.Addr
		all, err = net.DefaultResolver.LookupNetIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[args[1]], args[0])
		got = fmt.Sprint(all)
	case "SRV":
		var all []*net.SRV
		if _, all, err = net.DefaultResolver.LookupSRV(ctx, "", "", args[0]); err == nil {
			got = fmt.Sprint(all[0].Target, all[0].Port)
		}
	}
	return tell(begun, got, err)
}

// TestRecords: records are looked up by the host for exactly the names and types
// that were granted.
func TestRecords(t *testing.T) {
	grants := []string{"dns.lookup:a.test/TXT,MX", "dns.lookup:*.b.test/NS,SRV", "dns.lookup:*.com/TXT", "net.connect:c.test"}
	w := start(t, linktest.Options{}, grants, nil)
	for _, tc := range []struct{ name, kind, want string }{
		{"a.test", "TXT", "text of a.test. " + strings.Repeat("x", 300)},
		{"a.test", "MX", "mail.test.7"},
		{"a.test", "NS", ""},
		{"x.b.test", "NS", "ns.test."},
		{"x.b.test", "SRV", "srv.test.99"},
		{"b.test", "NS", ""},
		{"x.com", "TXT", ""}, // a wildcard where anybody may register
		{"c.test", "TXT", ""},
		{"secret-bytes.evil.test", "TXT", ""},
	} {
		got := w.see(t, "records", tc.name+".", tc.kind)
		if got.Text != tc.want || tc.want == "" && got.Err == "" || got.Took > quick {
			t.Errorf("%s %s: %+v", tc.name, tc.kind, got)
		}
	}
	if got := w.gate.requests(); !slices.Contains(got, "dns.lookup:a.test/TXT") {
		t.Errorf("requests %q", got)
	}
}

// TestClasses: what a name leads to has to be public, or granted itself.
func TestClasses(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	names := []string{"net.connect:a.test:" + port, "net.connect:*.b.test:" + port, "net.connect:*:" + port}
	for _, tc := range []struct {
		name   string
		addrs  []string
		grants []string
		ok     bool
		why    string
	}{
		{"a.test", []string{"127.0.0.1"}, nil, false, "the class loopback"},
		{"a.test", []string{"::ffff:127.0.0.1"}, nil, false, "the class loopback"},
		{"a.test", []string{"64:ff9b::7f00:1"}, nil, false, "the class loopback"},
		{"a.test", []string{"169.254.169.254"}, nil, false, "the class metadata"},
		{"a.test", []string{"169.254.169.254"}, []string{"net.connect:169.254.0.0/16"}, false, "the class metadata"},
		{"a.test", []string{"10.0.0.1"}, nil, false, "the class private"},
		{"c.b.test", []string{"127.0.0.1"}, nil, false, "the class loopback"},
		{"any.example.com", []string{"127.0.0.1", "::1", "10.0.0.1"}, nil, false, "the class private"},
		{"a.test", []string{"224.0.0.1"}, []string{"net.connect:224.0.0.0/4"}, false, "the class multicast"},
		{"a.test", []string{"0.0.0.0"}, []string{"net.connect:0.0.0.0/8"}, false, "the class unspecified"},
		{"a.test", nil, nil, false, ""},
		{"a.test", []string{"10.0.0.1", "127.0.0.1"}, []string{"net.connect:127.0.0.1:" + port}, true, ""},
		{"a.test", []string{"127.0.0.1"}, []string{"net.connect:127.0.0.0/8:" + port}, true, ""},
		{"a.test", []string{"127.0.0.1"}, []string{"net.connect:127.0.0.1:1"}, false, "the class loopback"},
		{"c.b.test", []string{"::ffff:127.0.0.1"}, []string{"net.connect:127.0.0.1"}, true, ""},
	} {
		w := start(t, linktest.Options{}, append(slices.Clone(names), tc.grants...), nil)
		if tc.addrs != nil {
			w.hosts.set(tc.name, tc.addrs...)
		}
		got := w.see(t, "tcp", tc.name+":"+port, "x")
		f := w.tape.ended(t, 1)[0]
		if tc.ok != (got.Text == "echo x") || !tc.ok && (!strings.Contains(got.Err, refused) || got.Took > quick) {
			t.Errorf("%s at %v: %+v", tc.name, tc.addrs, got)
		}
		want := map[bool]egress.End{true: egress.Done, false: egress.Class}[tc.ok]
		if tc.addrs == nil {
			want = egress.Unresolvable
		}
		if f.End != want || !strings.Contains(f.Why, tc.why) {
			t.Errorf("%s at %v: %+v", tc.name, tc.addrs, f)
		}
		w.plane.Close()
	}
}

// TestHostAddress: an address of the host is not public, whatever it looks like,
// by its name and by itself; a grant that names it leads there.
func TestHostAddress(t *testing.T) {
	const own = "8.8.4.4" // not this host's, and dialled only if something is wrong or granted
	host := func(c *egress.Config) {
		c.Host = func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(own + "/32")} }
		c.Limits.Dial = 50 * time.Millisecond
	}
	for _, tc := range []struct {
		to     string
		grants []string
		want   egress.End // "": it is dialled
	}{
		{"a.test:80", []string{"net.connect:*"}, egress.Class},
		{own + ":80", []string{"net.connect:*"}, egress.NotGranted},
		{own + ":80", []string{"net.connect:8.8.4.0/24"}, ""},
		{own + ":80", []string{"net.connect:*", "net.connect:8.8.4.0/24"}, ""},
		{"a.test:80", []string{"net.connect:*", "net.connect:8.8.4.4"}, ""},
	} {
		w := start(t, linktest.Options{}, append(tc.grants, "net.connect:a.test"), host)
		w.hosts.set("a.test", own)
		w.see(t, "tcp", tc.to, "x")
		if f := w.tape.ended(t, 1)[0]; tc.want != "" && f.End != tc.want || tc.want == "" && (f.End == egress.Class || f.End == egress.NotGranted) {
			t.Errorf("%s with %q: %+v", tc.to, tc.grants, f)
		}
		w.plane.Close()
	}
}

// TestWildcardsEnd: a wildcard stands for no name beyond a boundary of
// registration.
func TestWildcardsEnd(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	grants := []string{"net.connect:*.com:" + port, "net.connect:*.github.io:" + port, "net.connect:*.example.org:" + port, "net.connect:127.0.0.1:" + port}
	w := start(t, linktest.Options{}, grants, nil)
	for n, want := range map[string]bool{"a.com": false, "a.github.io": false, "a.example.org": true, "a.b.example.org": true, "example.org": false} {
		w.hosts.set(n, "127.0.0.1")
		got := w.see(t, "tcp", n+":"+port, "x")
		if want != (got.Text == "echo x") || !want && !strings.Contains(got.Err, "no such host") {
			t.Errorf("%s: %+v", n, got)
		}
	}
	w2 := start(t, linktest.Options{}, grants, func(c *egress.Config) { c.Known = func(string) bool { return true } })
	w2.hosts.set("a.com", "127.0.0.1")
	if got := w2.see(t, "tcp", "a.com:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("a.com: %+v", got)
	}
}

// TestRebinding: a name is resolved once for a connection, what was checked is
// what is dialled, and the next connection is checked anew.
func TestRebinding(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, nil)
	n := 0
	w.gate.between(func() { // the decision and the dial
		if n++; n == 2 {
			w.hosts.set("a.test", "127.0.0.2")
		}
	})
	w.hosts.set("a.test", "127.0.0.1")
	if got := w.see(t, "tcp", "a.test:"+port, "x"); got.Text != "echo x" {
		t.Errorf("%+v", got)
	}
	w.hosts.mu.Lock()
	if w.hosts.n != 1 {
		t.Errorf("%d lookups for one connection", w.hosts.n)
	}
	w.hosts.mu.Unlock()
	if got := w.see(t, "tcp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("it leads elsewhere now: %+v", got)
	}
	for _, f := range w.tape.ended(t, 2) { // the second one may be over before the first is
		if f.ID == 1 && f.Dialled != server || f.ID == 2 && f.End != egress.Class {
			t.Errorf("%+v", f)
		}
	}
}

// TestOrder: the host has no connection before the decision, and the program none
// that the host has not.
func TestOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = c.Close()
		}
	}()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	w.gate.between(func() {
		time.Sleep(100 * time.Millisecond)
		if accepted.Load() > 0 {
			t.Error("connected before the decision")
		}
	})
	if got := w.see(t, "tcp", "a.test:"+port, ""); got.Took < 200*time.Millisecond {
		t.Errorf("%+v", got)
	}
	w.gate.between(nil)
	_ = l.Close()
	if got := w.see(t, "tcp", "a.test:"+port, ""); !strings.Contains(got.Err, refused) {
		t.Errorf("nobody listens: %+v", got)
	}
	for _, f := range w.tape.ended(t, 2) {
		if f.ID == 2 && (f.End != egress.DialFailed || !f.Connected.IsZero()) {
			t.Errorf("%+v", f)
		}
	}
}

// TestNothing: a plane of which nothing is said denies all.
func TestNothing(t *testing.T) {
	w := start(t, linktest.Options{}, nil, func(c *egress.Config) { *c = egress.Config{Link: c.Link} })
	for _, to := range []string{"1.1.1.1:80", "[2606:4700::1]:80"} {
		if got := w.see(t, "tcp", to, "x"); got.Err == "" || got.Took > quick {
			t.Errorf("%s: %+v", to, got)
		}
	}
	if got := w.see(t, "lookup", "a.test"); got.Err == "" || got.Took > quick {
		t.Errorf("%+v", got)
	}
}

// raw makes sockets that programs have other ways out by.
func raw(_ context.Context, args []string) (string, error) {
	begun := time.Now()
	to := netip.MustParseAddrPort(args[1])
	sa := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	open := func(kind, protocol int) (int, error) {
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 300_000})
		}
		return fd, err
	}
	switch args[0] {
	case "fast open":
		fd, err := open(unix.SOCK_STREAM, 0)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		return tell(begun, "", unix.Sendto(fd, []byte("in the first packet"), unix.MSG_FASTOPEN, sa))
	case "mptcp", "sctp":
		fd, err := open(unix.SOCK_STREAM, map[string]int{"mptcp": unix.IPPROTO_MPTCP, "sctp": unix.IPPROTO_SCTP}[args[0]])
		if err != nil {
			return tell(begun, "", err)
		}
		defer unix.Close(fd)
		return tell(begun, "", unix.Connect(fd, sa))
	case "ping":
		fd, err := open(unix.SOCK_RAW, unix.IPPROTO_ICMP)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		if err := unix.Sendto(fd, []byte{8, 0, 0xf7, 0xfd, 0, 1, 0, 1}, 0, sa); err != nil {
			return tell(begun, "", err)
		}
		b := make([]byte, 100)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil || n > 20 && b[20] == 0 {
				return tell(begun, "answered", err)
			}
		}
	case "spoof": // a SYN with a source of its choice
		fd, err := open(unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		b := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4}
		a := to.Addr().As4()
		b = append(b, a[:]...)
		b = append(b, 0, 99, byte(to.Port()>>8), byte(to.Port()), 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0)
		return tell(begun, "", unix.Sendto(fd, b, 0, sa))
	}
	return "", os.ErrInvalid
}

// TestOtherWays: what is neither a plain connection nor a granted exchange gets
// nowhere.
func TestOtherWays(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	w := start(t, linktest.Options{}, []string{"net.connect:8.8.8.8:53/udp"}, nil)
	for _, tc := range []struct{ way, to, want string }{
		{"fast open", "1.1.1.1:" + port, refused},
		{"mptcp", "1.1.1.1:" + port, refused},
		{"sctp", "1.1.1.1:" + port, ""},
		{"ping", "1.2.3.4:0", "resource temporarily unavailable"},
		{"ping", "8.8.8.8:0", "resource temporarily unavailable"},
	} {
		got := w.see(t, "raw", tc.way, tc.to)
		if got.Err == "" || !strings.Contains(got.Err, tc.want) || got.Took > quick {
			t.Errorf("%s to %s: %+v", tc.way, tc.to, got)
		}
	}
	w.see(t, "raw", "spoof", "1.1.1.1:80")
	for _, f := range w.tape.ended(t, 1) {
		if f.End != egress.NotGranted {
			t.Errorf("%+v", f)
		}
	}
}

// TestLinkEnds: a sandbox that is gone takes nothing of the plane with it.
func TestLinkEnds(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	go func() { _, _ = w.Do("hold", "a.test:"+port) }()
	until(t, "it is connected", func() bool {
		all := w.plane.Flows()
		return len(all) == 1 && !all[0].Connected.IsZero()
	})
	if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	w.plane.Close()
	if f := w.tape.ended(t, 1)[0]; f.Ended.IsZero() {
		t.Errorf("%+v", f)
	}
}

// hold connects and waits for what comes.
func hold(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return tell(begun, "", err)
}
