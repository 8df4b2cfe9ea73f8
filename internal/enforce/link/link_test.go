//go:build linux

package link_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/link/linktest"
	"ambit.dev/ambit/internal/enforce/namespace"
)

func TestMain(m *testing.M) {
	os.Exit(linktest.Main(context.Background(), m, map[string]linktest.Op{
		"look":  look,
		"again": again,
		"send":  send,
		"bind":  bind,
	}))
}

// view is what a program of the sandbox sees of its network.
type view struct {
	Addresses map[string][]string
	Up        map[string]bool
	MTU       map[string]int
	Routes    string // of IPv4
	Retries   string
}

func look(context.Context, []string) (string, error) {
	v := view{Addresses: map[string][]string{}, Up: map[string]bool{}, MTU: map[string]int{}}
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return "", err
		}
		v.Up[i.Name], v.MTU[i.Name] = i.Flags&net.FlagUp != 0, i.MTU
		for _, a := range addrs {
			v.Addresses[i.Name] = append(v.Addresses[i.Name], a.String())
		}
	}
	routes, err := os.ReadFile("/proc/self/net/route")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(routes)), "\n")[1:] {
		f := strings.Fields(line)
		v.Routes += strings.Join(f[:3], " ") + ";"
	}
	retries, err := os.ReadFile("/proc/sys/net/ipv4/tcp_syn_retries")
	v.Retries = strings.TrimSpace(string(retries))
	text, _ := json.Marshal(v)
	return string(text), err
}

// TestInside reads back what the link looks like to a program.
func TestInside(t *testing.T) {
	_, err := net.Listen("tcp6", "[::1]:0")
	ipv6 := err == nil
	for name, o := range linktest.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := linktest.Start(t, o)
			text, err := s.Do("look")
			if err != nil {
				t.Fatal(err)
			}
			var v view
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			want := []string{"198.19.255.100/24"}
			if ipv6 {
				want = append(want, "2001:2::100/64")
			}
			if got := v.Addresses["eth0"]; !slices.Equal(got, want) {
				t.Errorf("addresses of the link: %q", got)
			}
			if got := v.Addresses["plane0"]; len(got) != 0 {
				t.Errorf("addresses of the plane's end: %q", got)
			}
			// The gateway and the network, least significant byte first.
			if want := "eth0 00000000 02FF13C6;eth0 00FF13C6 00000000;"; v.Routes != want {
				t.Errorf("routes %q, want %q", v.Routes, want)
			}
			if !v.Up["lo"] || !v.Up["eth0"] || v.MTU["eth0"] != link.MTU || v.Retries != "10" {
				t.Errorf("%+v", v)
			}
		})
	}
}

func send(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	_, err = c.Write([]byte(args[1]))
	return "", err
}

// TestFrames: what a program sends comes out as one frame, and nothing comes by
// itself.
func TestFrames(t *testing.T) {
	for name, o := range linktest.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := linktest.Start(t, o)
			if f := frame(t, s.Ends.Link, 300*time.Millisecond); f != nil {
				t.Errorf("a frame by itself: %x", f)
			}
			payload := strings.Repeat("x", 60_000)
			for _, to := range []string{"198.18.0.1:9", "8.8.8.8:9", "[2001:db8::1]:9"} {
				if _, err := s.Do("send", to, payload); err != nil {
					if strings.HasPrefix(to, "[") && errors.Is(err, unix.ENETUNREACH) {
						continue
					}
					t.Fatal(err)
				}
				f := frame(t, s.Ends.Link, time.Minute)
				if !strings.HasSuffix(string(f), payload) {
					t.Fatalf("to %s: a frame of %d bytes", to, len(f))
				}
				if f[0] != 1 || f[1] != 0 {
					t.Errorf("to %s: virtio_net header %x, want a checksum to fill in, no segments", to, f[:10])
				}
				if got := binary.BigEndian.Uint16(f[22:]); s.Setup.Frames && (got != unix.ETH_P_IP && got != unix.ETH_P_IPV6 || [6]byte(f[10:16]) != link.GuestMAC) {
					t.Errorf("to %s: Ethernet header %x", to, f[10:24])
				}
			}
			if f := frame(t, s.Ends.Link, 100*time.Millisecond); f != nil {
				t.Errorf("one more frame: %x", f[:min(len(f), 64)])
			}
		})
	}
}

// frame reads one frame, nil if none comes.
func frame(t *testing.T, fd int, wait time.Duration) []byte {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, int(wait.Milliseconds())); err != nil || n == 0 {
		return nil
	}
	b := make([]byte, 70_000)
	n, err := unix.Read(fd, b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// again makes the link a second time.
func again(context.Context, []string) (string, error) {
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", err
	}
	c := linktest.Config
	c.Proc = proc
	s, err := link.Veth(c)
	if err != nil {
		return "", err
	}
	before, _ := os.ReadDir("/proc/self/fd")
	_, err = s.Run()
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) != len(before) {
		return "", fmt.Errorf("%d descriptors before, %d after: %w", len(before), len(after), err)
	}
	return "", err
}

// TestFailure: a row that fails says what and why, and leaves no descriptor.
func TestFailure(t *testing.T) {
	s := linktest.Start(t, linktest.Options{})
	_, err := s.Do("again")
	if err == nil || err.Error() != "make the link: file exists" {
		t.Errorf("the link again: %v", err)
	}
}

func bind(ctx context.Context, args []string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	return "", l.Close()
}

// TestPorts: every port of the sandbox may be listened on.
func TestPorts(t *testing.T) {
	s := linktest.Start(t, linktest.Options{})
	if _, err := s.Do("bind", "127.0.0.1:80"); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*link.Config){
		"no address":      func(c *link.Config) { c.Guest = netip.Prefix{} },
		"another gateway": func(c *link.Config) { c.Gateway = netip.MustParsePrefix("10.0.0.1/24") },
		"IPv4 for IPv6":   func(c *link.Config) { c.Guest6 = c.Guest },
		"no gateway":      func(c *link.Config) { c.Gateway6 = netip.Prefix{} },
	} {
		c := linktest.Config
		change(&c)
		if _, err := link.Veth(c); err == nil {
			t.Errorf("veth: %s was taken", name)
		}
		if _, err := link.Tun(c); err == nil {
			t.Errorf("tun: %s was taken", name)
		}
	}
}

// TestInRow runs the row where a tier runs it, between clone and exec, and gets
// the plane's end back over a socket.
func TestInRow(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("requires amd64: rows of calls are not there for others yet")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(proc)
	program, err := unix.Open("/bin/true", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(program)
	c := linktest.Config
	c.Proc = proc
	s, err := link.Veth(c)
	if err != nil {
		t.Fatal(err)
	}
	l := &namespace.List{Flags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET}
	l.WriteFile("deny setgroups", namespace.N(proc), "self/setgroups", "deny")
	l.WriteFile("map the user", namespace.N(proc), "self/uid_map", fmt.Sprintf("%d %[1]d 1\n", os.Getuid()))
	slots := rowOf(l, s)
	l.Send("hand over the link", pair[1], slots[s.Link])
	l.Exec(program, []string{"true"}, nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := l.Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	data, oob := make([]byte, 1), make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(pair[0], data, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil || n == 0 {
		t.Fatalf("no descriptor came: %v", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("%v, %v", fds, err)
	}
	defer unix.Close(fds[0])
	sa, err := unix.Getsockname(fds[0])
	if ll, ok := sa.(*unix.SockaddrLinklayer); !ok || [6]byte(ll.Addr[:6]) != link.PlaneMAC {
		t.Errorf("the plane's end is %+v, %v", sa, err)
	}
}

// rowOf adds a Setup to a row of raw calls.
func rowOf(l *namespace.List, s link.Setup) []namespace.Slot {
	slots := make([]namespace.Slot, s.Slots)
	for i := range slots {
		slots[i] = l.NewSlot()
	}
	for _, c := range s.Calls {
		if c.Equal != nil {
			l.Equal(c.What, c.Equal.Got, c.Equal.Want)
			continue
		}
		var args []namespace.Arg
		for _, a := range c.Args {
			switch {
			case a.Slot > 0:
				args = append(args, namespace.Result(slots[a.Slot-1]))
			case a.Bytes != nil:
				args = append(args, l.Bytes(a.Bytes))
			default:
				args = append(args, namespace.N(a.Number))
			}
		}
		step := l.Call(c.What, c.Nr, args...)
		if c.May {
			step.May()
		}
		if c.Keep >= 0 {
			step.Keep(slots[c.Keep])
		}
	}
	return slots
}
