package enforcetest

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// RunLateLink tries a tier whose plans ask, and have a link that is made with the
// first socket.
func RunLateLink(t *testing.T, make func(enforce.Asker, enforce.Networker) enforce.Tier, facts enforce.Facts, notify bool) {
	s := late{make: make, facts: facts, notify: notify}
	t.Run("all at once", s.allAtOnce)
	t.Run("refused", s.refused)
	t.Run("never wanted", s.neverWanted)
}

type late struct {
	make   func(enforce.Asker, enforce.Networker) enforce.Tier
	facts  enforce.Facts
	notify bool
}

// input is a run of a Python program, with such a link.
func (s late) input(t *testing.T, script string) enforce.Input {
	in := newPlace(t).input(t, "/usr/bin/python3", "-c", script)
	in.Ask, in.Notify, in.Quiet = true, s.notify, []string{"/etc", "/sys", "/run"}
	in.Link = linkOfTests()
	in.Link.Late = true
	return in
}

func (s late) suite(n enforce.Networker) suite {
	return suite{tier: s.make(newAnswers(No), n), facts: s.facts}
}

// allAtOnce: whoever is first, by whatever socket, in whatever thread or process,
// nobody finds that there is no network. Before it there is none.
func (s late) allAtOnce(t *testing.T) {
	leavesNothing(t)
	in := s.input(t, `
import array, fcntl, os, socket, struct, threading
def interfaces(): return open("/proc/net/dev").read().count(":")
print("before", interfaces(), flush=True)
def sent():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("203.0.113.7", 53)); return s.getsockname()[0]
def sent6():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.connect(("2001:db8::7", 53)); return s.getsockname()[0]
def listed(): return "eth0" in [name for _, name in socket.if_nameindex()]
def asked():
    s, b = socket.socket(socket.AF_UNIX), array.array("B", bytes(4096))
    size, _ = struct.unpack("iL", fcntl.ioctl(s, 0x8912, struct.pack("iL", 4096, b.buffer_info()[0])))
    return b"eth0" in b.tobytes()[:size]
ways, found = [sent, sent6, listed, asked] * 4, []
for _ in range(3): # four processes
    if os.fork() == 0: break
start = threading.Barrier(len(ways))
def one(f):
    start.wait()
    try: found.append("%s %s" % (f.__name__, f()))
    except OSError as e: found.append("%s %s" % (f.__name__, e))
threads = [threading.Thread(target=one, args=(f,)) for f in ways]
for x in threads: x.start()
for x in threads: x.join()
os.write(1, "".join(line + "\n" for line in sorted(set(found))).encode())
try:
    while True: os.wait()
except ChildProcessError: pass
`)
	n := &network{came: make(chan struct{})}
	e := s.suite(n).run(t, in, nil)
	if n.ends == nil {
		t.Fatalf("nobody was given the link; exit %d, output %q, errors %q", e.Exit, e.out, e.err)
	}
	defer n.ends.Close() //nolint:errcheck // nothing was written
	lines := strings.Split(strings.TrimSpace(e.out), "\n")
	slices.Sort(lines)
	want := []string{"asked True", "before 1", "listed True", "sent 198.19.255.100", "sent6 2001:2::100"}
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil { // the host has no IPv6
		want = want[:4]
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "sent6") })
	}
	if lines = slices.Compact(lines); e.Exit != 0 || !slices.Equal(lines, want) {
		t.Errorf("exit %d, output %q, want %q; errors %q", e.Exit, lines, want, e.err)
	}
}

// refused: where nobody takes the link over there is never a socket of the network.
// The program goes on, and others are made.
func (s late) refused(t *testing.T) {
	leavesNothing(t)
	in := s.input(t, `
import errno, socket
for family in [socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_INET]:
    try: print(socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM))
    except OSError as e: print(errno.errorcode[e.errno])
print(socket.socket(socket.AF_UNIX).family.name)`)
	n := &refusing{}
	e := s.suite(n).run(t, in, nil)
	if want := strings.Repeat("ENETDOWN\n", 4) + "AF_UNIX\n"; e.out != want || e.Exit != 0 || n.asked.Load() != 1 {
		t.Errorf("asked %d times; exit %d, output %q, want %q; errors %q", n.asked.Load(), e.Exit, e.out, want, e.err)
	}
	if !slices.ContainsFunc(e.denials, func(d enforce.Denial) bool { return d.Kind == "net.connect" && d.Call == "socket" }) {
		t.Errorf("nobody was told: %+v", e.denials)
	}
}

// neverWanted: nothing is made for who has no socket of the network.
func (s late) neverWanted(t *testing.T) {
	leavesNothing(t)
	n := &refusing{}
	e := s.suite(n).run(t, s.input(t, `
import socket
print(socket.socketpair()[0].family.name, open("/proc/net/dev").read().count(":"))`), nil)
	if e.out != "AF_UNIX 1\n" || n.asked.Load() != 0 {
		t.Errorf("asked %d times; exit %d, output %q; errors %q", n.asked.Load(), e.Exit, e.out, e.err)
	}
}

// refusing takes no link over.
type refusing struct{ asked atomic.Int32 }

func (n *refusing) Linked(l *enforce.Ends) error {
	n.asked.Add(1)
	return errors.Join(errors.New("a network that cannot be"), l.Close())
}
