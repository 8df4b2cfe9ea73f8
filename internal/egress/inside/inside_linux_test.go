package inside_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

func TestMain(m *testing.M) {
	os.Exit(linktest.Main(context.Background(), m, map[string]linktest.Op{
		"connect": connect, "socket": socket, "serve": serve, "pester": pester, "released": released, "give up": giveUp,
	}))
}

// gives has what makes each connecting give up.
var gives sync.Map

// connect tries to connect from a port of its choice, until giveUp.
func connect(ctx context.Context, args []string) (string, error) {
	ctx, give := context.WithTimeout(ctx, time.Minute)
	defer give()
	gives.Store(args[0], give)
	d := net.Dialer{LocalAddr: &net.TCPAddr{Port: atoi(args[1])}}
	c, err := d.DialContext(ctx, "tcp", args[0])
	if err == nil {
		_ = c.Close()
	}
	return "", err
}

// giveUp ends a connecting that is under way.
func giveUp(_ context.Context, args []string) (string, error) {
	give, ok := gives.Load(args[0])
	if !ok {
		return "", fmt.Errorf("nothing connects to %s", args[0])
	}
	give.(context.CancelFunc)()
	return "", nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// socket keeps a UDP socket open for longer than its test takes: one that is
// connected, or one that only has a port.
func socket(_ context.Context, args []string) (string, error) {
	from := &net.UDPAddr{Port: atoi(args[1])}
	to, err := net.ResolveUDPAddr("udp", args[0])
	if err != nil {
		return "", err
	}
	var c *net.UDPConn
	if args[2] == "connected" {
		c, err = net.DialUDP("udp", from, to)
	} else {
		c, err = net.ListenUDP("udp", from)
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	time.Sleep(time.Minute)
	return "", nil
}

// keep has the servers that serve has started.
var keep sync.Map

// serve answers each connection with the port that it is on.
func serve(ctx context.Context, args []string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	keep.Store(args[0], l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line, _ := bufio.NewReader(c).ReadString('\n')
				fmt.Fprintf(c, "%s says %s", args[0], line)
			}()
		}
	}()
	return "", nil
}

// pester connects to every port of the loopback that somebody listens on, but
// for one.
func pester(ctx context.Context, args []string) (string, error) {
	end := time.Now().Add(time.Second)
	n := 0
	for time.Now().Before(end) {
		text, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil {
			return "", err
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			f := strings.Fields(line)
			at, state := f[1], f[3]
			port, err := strconv.ParseUint(at[strings.IndexByte(at, ':')+1:], 16, 16)
			if err != nil || state != "0A" || strconv.Itoa(int(port)) == args[0] {
				continue
			}
			c, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				n++
				_ = c.Close()
			}
		}
	}
	return strconv.Itoa(n), nil
}

// released counts the sockets of the namespace that listen or are connected.
func released(context.Context, []string) (string, error) {
	n := 0
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			return "", err
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			if f := strings.Fields(line); f[3] == "01" || f[3] == "0A" { // established, listening
				n++
			}
		}
	}
	return strconv.Itoa(n), nil
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func open(t *testing.T) (*linktest.Sandbox, *inside.Sockets) {
	t.Helper()
	s := linktest.Start(t, linktest.Options{})
	k, err := inside.OpenSockets(s.Ends.Diag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return s, k
}

// eventually finds the socket, or fails.
func eventually(t *testing.T, k *inside.Sockets, f inside.Flow) inside.Socket {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s, err := k.Find(f)
		if err != nil {
			t.Fatal(err)
		}
		if s.Inode != 0 {
			return s
		}
	}
	t.Fatalf("%+v was not found", f)
	return inside.Socket{}
}

// TestConnecting: a program that waits for its connection is seen and named,
// and one that has given up is no longer there.
func TestConnecting(t *testing.T) {
	s, k := open(t)
	for _, to := range []string{"198.18.0.1:443", "[2001:db8::1]:443"} {
		f := inside.Flow{From: addr("198.19.255.100:40000"), To: addr(to)}
		if f.To.Addr().Is6() {
			f.From = addr("[2001:2::100]:40000")
		}
		if got, err := k.Find(f); err != nil || got != (inside.Socket{}) {
			t.Errorf("before: %+v, %v", got, err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.Do("connect", to, "40000")
			done <- err
		}()
		got := eventually(t, k, f)
		if !got.Connecting {
			t.Errorf("%s: %+v", to, got)
		}
		for _, guess := range []int{0, s.PID, os.Getpid(), 1 << 30} { // none, right, wrong, and nobody
			if p := inside.FindProgram(s.PID, guess, got.Inode); p.PID != s.PID || p.Name == "" {
				t.Errorf("%s: the program is %+v", to, p)
			}
			if p := inside.FindProgram(s.PID, guess, got.Inode+1000); p != (inside.Program{}) {
				t.Errorf("no socket of %+v", p)
			}
		}
		if _, err := s.Do("give up", to); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Fatal("it connected to nobody")
		}
		if got, err := k.Find(f); err != nil || got.Connecting {
			t.Errorf("%s, after it gave up: %+v, %v", to, got, err)
		}
	}
}

func TestUDP(t *testing.T) {
	s, k := open(t)
	for i, kind := range []string{"connected", "bound"} {
		port := 41000 + i
		go func() { _, _ = s.Do("socket", "198.18.0.1:53", strconv.Itoa(port), kind) }()
		f := inside.Flow{UDP: true, From: netip.AddrPortFrom(netip.MustParseAddr("198.19.255.100"), uint16(port)), To: addr("198.18.0.1:53")}
		got := eventually(t, k, f)
		if p := inside.FindProgram(s.PID, 0, got.Inode); p.PID != s.PID {
			t.Errorf("%s: the program is %+v", kind, p)
		}
	}
}

func TestFindAtOnce(t *testing.T) {
	_, k := open(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				if got, err := k.Find(inside.Flow{From: netip.AddrPortFrom(netip.MustParseAddr("198.19.255.100"), uint16(1000*i+j)), To: addr("198.18.0.1:1")}); err != nil || got.Inode != 0 {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	_ = k.Close()
	if _, err := k.Find(inside.Flow{}); err == nil {
		t.Error("found after it was closed")
	}
}

func ask(t *testing.T, d *inside.Dialer, port uint16, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := d.Dial(ctx, port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	out, err := io.ReadAll(c)
	return strings.TrimSpace(string(out)), err
}

// TestDial reaches servers of the sandbox that listen on its loopback only, and
// none of the host.
func TestDial(t *testing.T) {
	s := linktest.Start(t, linktest.Options{})
	before := goleak.IgnoreCurrent()
	defer func() {
		var left error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if left = goleak.Find(before); left == nil {
				return
			}
		}
		t.Errorf("left behind: %v", left)
	}()
	d := inside.NewDialer(s.Ends.Seeds)
	defer d.Close()
	for _, at := range []string{"127.0.0.1:8000", "[::1]:8001", "0.0.0.0:8002"} {
		if _, err := s.Do("serve", at); err != nil {
			t.Fatal(err)
		}
		port := addr(at).Port()
		for range 3 {
			if got, err := ask(t, d, port, "hello"); err != nil || got != at+" says hello" {
				t.Errorf("%s: %q, %v", at, got, err)
			}
		}
	}
	if got, err := s.Do("released"); err != nil || got != "3" { // the servers
		t.Errorf("%s sockets are left, %v", got, err)
	}
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if got, err := ask(t, d, uint16(host.Addr().(*net.TCPAddr).Port), "hello"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a port of the host: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := d.Dial(ctx, 8000); err == nil {
		_ = c.Close()
	}
	_ = d.Close()
	if _, err := ask(t, d, 8000, "late"); err == nil {
		t.Error("dialled after it was closed")
	}
}

// TestDialHammer dials from many goroutines while a program of the sandbox
// connects to whatever it sees listening.
func TestDialHammer(t *testing.T) {
	s := linktest.Start(t, linktest.Options{})
	d := inside.NewDialer(s.Ends.Seeds)
	defer d.Close()
	if _, err := s.Do("serve", "127.0.0.1:8000"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := s.Do("pester", "8000"); err != nil {
			t.Error(err)
		}
	})
	for i := range 4 {
		all.Go(func() {
			for j := range 100 {
				line := fmt.Sprintf("%d.%d", i, j)
				if got, err := ask(t, d, 8000, line); err != nil || got != "127.0.0.1:8000 says "+line {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}
