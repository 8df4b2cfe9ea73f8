package egress_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/decision"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// open makes a world that may connect to one server, by the name a.test.
func openTo(t testing.TB, at net.Addr, change func(*egress.Config)) (*world, string) {
	t.Helper()
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, change)
	w.hosts.set("a.test", "127.0.0.1")
	return w, "a.test:" + port
}

// each serves each connection with do.
func each(t testing.TB, do func(c *net.TCPConn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
				do(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr()
}

// sum sends n bytes of a pattern and returns the digest of what comes back.
func sum(ctx context.Context, args []string) (string, error) {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(pattern(n))
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	h := sha256.New()
	got, err := io.Copy(h, c)
	return fmt.Sprintf("%d %s", got, hex.EncodeToString(h.Sum(nil))), err
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 3 >> (i % 5))
	}
	return b
}

// TestBytes: what is sent arrives, in both directions at once, whatever its size
// and whoever is slow.
func TestBytes(t *testing.T) {
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) })
	w, to := openTo(t, at, nil)
	var all sync.WaitGroup
	for _, n := range []int{0, 1, 100, 65_358, 65_359, 65_360, 1 << 20, 30_000_003} {
		all.Go(func() {
			h := sha256.Sum256(pattern(n))
			want := fmt.Sprintf("%d %s", n, hex.EncodeToString(h[:]))
			if got, err := w.Do("sum", to, strconv.Itoa(n)); err != nil || got != want {
				t.Errorf("%d bytes: %q, %v; want %q", n, got, err, want)
			}
		})
	}
	all.Wait()
	var in, out uint64
	for _, f := range w.tape.ended(t, 8) {
		in, out = in+f.In, out+f.Out
		if f.End != egress.Done {
			t.Errorf("%+v", f)
		}
	}
	if want := uint64(1 + 100 + 65_358 + 65_359 + 65_360 + 1<<20 + 30_000_003); in != want || out != want {
		t.Errorf("%d bytes in, %d out, want %d", in, out, want)
	}
}

// TestSmallBites: a server that takes little at a time gets all of it, in order.
func TestSmallBites(t *testing.T) {
	at := each(t, func(c *net.TCPConn) {
		_ = c.SetReadBuffer(100 << 10)
		var all bytes.Buffer
		_, _ = io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{c}, make([]byte, 1001))
		_, _ = c.Write(all.Bytes())
	})
	w, to := openTo(t, at, nil)
	const n = 20_000_001
	h := sha256.Sum256(pattern(n))
	want := fmt.Sprintf("%d %s", n, hex.EncodeToString(h[:]))
	if got, err := w.Do("sum", to, strconv.Itoa(n)); err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// TestServerCloses: the server says that this was all, and goes on listening.
func TestServerCloses(t *testing.T) {
	heard := make(chan string, 1)
	at := each(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "greeting")
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		heard <- string(b)
	})
	w, to := openTo(t, at, nil)
	if got, err := w.Do("later", to, "late words"); err != nil || got != "greeting" {
		t.Errorf("%q, %v", got, err)
	}
	if got := <-heard; got != "late words" {
		t.Errorf("heard %q", got)
	}
}

// later reads to the end, and speaks afterwards.
func later(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err != nil {
		return "", err
	}
	time.Sleep(50 * time.Millisecond)
	_, err = io.WriteString(c, args[1])
	return string(b), err
}

// TestReset: a connection that is broken off on one side is broken off on the
// other.
func TestReset(t *testing.T) {
	at := each(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	w, to := openTo(t, at, nil)
	if got := w.see(t, "tcp", to, "x"); !strings.Contains(got.Err, "reset") {
		t.Errorf("the server broke off: %+v", got)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Reset {
		t.Errorf("%+v", f)
	}

	heard := make(chan error, 1)
	at = each(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		heard <- err
	})
	w, to = openTo(t, at, nil)
	if _, err := w.Do("break", to); err != nil {
		t.Fatal(err)
	}
	if err := <-heard; err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the program broke off: %v", err)
	}
}

// breakOff connects, sends a byte, and breaks the connection off.
func breakOff(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "x"); err != nil {
		return "", err
	}
	time.Sleep(50 * time.Millisecond)
	_ = c.(*net.TCPConn).SetLinger(0)
	return "", c.Close()
}

// TestBrokenOffWhileFull: a program that breaks off while the server takes nothing
// leaves nothing.
func TestBrokenOffWhileFull(t *testing.T) {
	stop := make(chan struct{})
	at := each(t, func(*net.TCPConn) { <-stop })
	defer close(stop)
	w, to := openTo(t, at, nil)
	if _, err := w.Do("stuff", to); err != nil {
		t.Fatal(err)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Reset {
		t.Errorf("%+v", f)
	}
}

// stuff sends until nothing is taken any more, and breaks off.
func stuff(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	for {
		_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := c.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	return "", c.Close()
}

// TestSlowReader: a program that does not read holds up nobody else, and what
// waits for it is bounded.
func TestSlowReader(t *testing.T) {
	at := each(t, func(c *net.TCPConn) {
		b := make([]byte, 1)
		if _, err := c.Read(b); err != nil || b[0] == 'e' {
			_, _ = io.WriteString(c, "quick")
			return
		}
		_, _ = io.Copy(c, endless{})
	})
	w, to := openTo(t, at, func(c *egress.Config) { c.Limits.Buffers = 4 << 20 })
	for range 20 {
		go func() { _, _ = w.Do("sleep", to) }()
	}
	until(t, "all are open", func() bool { return len(w.plane.Flows()) == 20 })
	time.Sleep(500 * time.Millisecond)
	if got := w.see(t, "tcp", to, "e"); got.Text != "quick" {
		t.Errorf("%+v", got)
	}
	var waiting uint64
	for _, f := range w.plane.Flows() {
		waiting += f.In
	}
	// The guest's kernel takes some megabytes for each that nobody reads.
	if waiting > 20*(8<<20) {
		t.Errorf("%d bytes went to programs that do not read", waiting)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// sleep connects, asks for everything and reads nothing.
func sleep(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	_, err = io.WriteString(c, "s")
	time.Sleep(time.Minute) // the test is over before
	return "", err
}

// packets is a server for datagrams that answers each.
func packets(t testing.TB, do func(c net.PacketConn, b []byte, from net.Addr)) net.Addr {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			do(c, bytes.Clone(b[:n]), from)
		}
	}()
	return c.LocalAddr()
}

func answer(c net.PacketConn, b []byte, from net.Addr) {
	_, _ = c.WriteTo(append([]byte("re:"), b...), from)
}

func TestUDP(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	for name, o := range linktest.Kinds() {
		t.Run(name, func(t *testing.T) {
			w := start(t, o, []string{"net.connect:a.test:" + port + "/udp", "net.connect:127.0.0.1:" + port + "/udp", "net.connect:b.test:" + port}, nil)
			w.hosts.set("a.test", "127.0.0.1")
			w.hosts.set("b.test", "127.0.0.1")
			if got := w.see(t, "udp", "a.test:"+port, "1", "2", "3"); got.Text != "re:1 re:2 re:3" {
				t.Errorf("%+v", got)
			}
			big := strings.Repeat("x", 60_000)
			if got := w.see(t, "udp", "a.test:"+port, big); got.Text != "re:"+big {
				t.Errorf("a large one: %d bytes, %s", len(got.Text), got.Err)
			}
			for _, to := range []string{"a.test:1", "b.test:" + port, "8.8.8.8:53", "198.19.255.2:53", "[2606:4700::1]:53"} {
				if got := w.see(t, "udp", to, "x"); !strings.Contains(got.Err, refused) && !strings.Contains(got.Err, "unreachable") || got.Took > quick {
					t.Errorf("%s: %+v", to, got)
				}
			}
			for _, to := range []string{"224.0.0.251:5353", "255.255.255.255:67", "198.19.255.255:9"} {
				if got := w.see(t, "udp", to); got.Took > quick {
					t.Errorf("%s: %+v", to, got)
				}
			}
			w.plane.Close()
			all := slices.DeleteFunc(w.tape.ended(t, 2), func(f egress.Flow) bool { return f.Connected.IsZero() })
			for _, f := range all {
				if f.End != egress.Stopped && f.End != egress.Done || !f.UDP || f.In != f.Out+3 && f.In != f.Out+9 {
					t.Errorf("%+v", f)
				}
			}
			if len(all) != 2 {
				t.Errorf("%d exchanges were carried, want 2", len(all))
			}
		})
	}
}

// TestUDPAsks: what is sent while a person is asked arrives afterwards, in order;
// a refusal is an error at once.
func TestUDPAsks(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	loopback := "net.connect:127.0.0.1:" + port + "/udp"
	w, p := asking(t, []string{loopback}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	w.hosts.set("b.test", "127.0.0.1")
	done := make(chan outcome, 1)
	go func() { done <- w.see(t, "udp", "a.test:"+port, "1", "2", "3") }()
	q := p.asked(t, 1)[0]
	if q.Request.Capability.String() != "net.connect:a.test:"+port+"/udp" || q.Flow.Program.PID != w.PID {
		t.Errorf("%+v", q)
	}
	time.Sleep(200 * time.Millisecond)
	w.gate.grant(loopback, "net.connect:a.test:"+port+"/udp")
	p.answers <- nil
	if got := <-done; got.Text != "re:1 re:2 re:3" {
		t.Errorf("%+v", got)
	}
	go func() { done <- w.see(t, "udp", "b.test:"+port, "1") }()
	p.asked(t, 2)
	p.answers <- nil
	if got := <-done; !strings.Contains(got.Err, refused) || got.Took > quick {
		t.Errorf("%+v", got)
	}
}

// TestUDPNobodyThere: where nobody listens the program is told.
func TestUDPNobodyThere(t *testing.T) {
	c, err := net.Dial("udp", "127.0.0.1:9") // it has the port, and hears nobody else there
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port + "/udp", "net.connect:127.0.0.1:" + port + "/udp"}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	if got := w.see(t, "udp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) || got.Took > quick {
		t.Errorf("%+v", got)
	}
}

// TestManyExchanges: so many exchanges and no more; those that are quiet make
// room.
func TestManyExchanges(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port + "/udp", "net.connect:127.0.0.1:" + port + "/udp"}, func(c *egress.Config) {
		c.Limits.Exchanges, c.Limits.Idle = 5, 3*time.Minute
	})
	w.hosts.set("a.test", "127.0.0.1")
	for i := range 5 {
		if got := w.see(t, "udp", "a.test:"+port, "x"); got.Text != "re:x" {
			t.Errorf("exchange %d: %+v", i, got)
		}
	}
	if got := w.see(t, "udp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("one more: %+v", got)
	}
	w = start(t, linktest.Options{}, []string{"net.connect:a.test:" + port + "/udp", "net.connect:127.0.0.1:" + port + "/udp"}, func(c *egress.Config) {
		c.Limits.Exchanges, c.Limits.Idle = 1, 500*time.Millisecond
	})
	w.hosts.set("a.test", "127.0.0.1")
	for i := range 2 { // the second one has no place before the first is over
		until(t, fmt.Sprintf("exchange %d of a plane with one place is answered", i), func() bool {
			return w.see(t, "udp", "a.test:"+port, "x").Text == "re:x"
		})
	}
	if all := w.tape.ended(t, 1); !slices.ContainsFunc(all, func(f egress.Flow) bool { return f.End == egress.Idle }) {
		t.Errorf("none was quiet: %+v", all)
	}
}

// TestWithdrawUDP: an exchange ends with its grant.
func TestWithdrawUDP(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	loopback := "net.connect:127.0.0.1:" + port + "/udp"
	w := start(t, linktest.Options{}, []string{"net.connect:a.test:" + port + "/udp", loopback}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	w.see(t, "udp", "a.test:"+port, "x")
	w.gate.grant(loopback)
	w.plane.Recheck()
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Withdrawn {
		t.Errorf("%+v", f)
	}
	if got := w.see(t, "udp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
}

// vanish opens a connection and takes its end away without a word, as if its
// reset had been lost.
func vanish(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return "", err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	return "", errors.Join(err, failed, c.Close())
}

// TestVanished: a connection whose program is gone without having said so ends,
// and one whose program is silent does not.
func TestVanished(t *testing.T) {
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	w, to := openTo(t, at, func(c *egress.Config) { c.Limits.Silent = 100 * time.Millisecond })
	go func() { _, _ = w.Do("sleep", to) }()
	one := func() bool { f := w.plane.Flows(); return len(f) == 1 && !f[0].Connected.IsZero() }
	until(t, "the silent one is open", one)
	if _, err := w.Do("vanish", to); err != nil {
		t.Fatal(err)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Reset {
		t.Errorf("%+v", f)
	}
	if !one() {
		t.Errorf("the silent one has ended: %+v", w.plane.Flows())
	}
}

// TestBounds: connections beyond the bound are refused, and make room when they
// end.
func TestBounds(t *testing.T) {
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	w, to := openTo(t, at, func(c *egress.Config) { c.Limits.Flows = 3 })
	for range 3 {
		go func() { _, _ = w.Do("sleep", to) }()
	}
	until(t, "three are open", func() bool {
		open := 0
		for _, f := range w.plane.Flows() {
			if !f.Connected.IsZero() {
				open++
			}
		}
		return open == 3
	})
	if got := w.see(t, "tcp", to, "x"); !strings.Contains(got.Err, refused) && !strings.Contains(got.Err, "reset") {
		t.Errorf("one more: %+v", got)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.TooMany {
		t.Errorf("%+v", f)
	}
}

// TestFailedGate: an answer that is none is no.
func TestFailedGate(t *testing.T) {
	w := start(t, linktest.Options{}, nil, func(c *egress.Config) {
		c.Known = func(string) bool { return true }
		c.Checker = checkerFunc(func(decision.Request) decision.Decision { return decision.Decision{} })
	})
	if got := w.see(t, "tcp", "a.test:80", "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
}

type checkerFunc func(decision.Request) decision.Decision

func (f checkerFunc) Check(_ context.Context, r decision.Request) decision.Decision { return f(r) }

// TestUDPBurst sends datagrams while the exchange that the first one began is
// being admitted: none of them is lost between those that waited and those for
// which there is an endpoint.
func TestUDPBurst(t *testing.T) {
	_, port, _ := net.SplitHostPort(packets(t, answer).String())
	w := start(t, linktest.Kinds()["veth"], []string{"net.connect:a.test:" + port + "/udp", "net.connect:127.0.0.1:" + port + "/udp"}, func(c *egress.Config) {
		c.Limits.PerSecond, c.Limits.Exchanges = 100_000, 1000
	})
	w.hosts.set("a.test", "127.0.0.1")
	texts := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	want := "re:" + strings.Join(texts, " re:")
	for range 400 {
		if got := w.see(t, "udp", append([]string{"a.test:" + port}, texts...)...); len(got.Text) != len(want) {
			t.Fatalf("%+v", got)
		}
	}
}
