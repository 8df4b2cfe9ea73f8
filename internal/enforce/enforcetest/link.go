package enforcetest

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// RunLink tries a tier whose plans have a link. with returns the tier with the
// networker in it.
func RunLink(t *testing.T, with func(enforce.Networker) enforce.Tier, facts enforce.Facts) {
	RunLinkWith(t, with, facts, Differences{})
}

// RunLinkWith is RunLink for a tier that differs.
func RunLinkWith(t *testing.T, with func(enforce.Networker) enforce.Tier, facts enforce.Facts, d Differences) {
	p := newPlace(t)
	in := p.input(t, "/usr/bin/python3", "-c", `
import socket
print(open("/proc/net/dev").read().count(":"), socket.gethostname().split("-")[0])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"a packet of the sandbox", ("203.0.113.7", 53))
s.connect(("203.0.113.7", 53)); print(s.getsockname()[0])
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
except OSError as e:
    print(e.errno)
import fcntl, struct
try:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"eth0", 0))
except OSError as e:
    print(e.errno)
`)
	in.Link = linkOfTests()
	n := &network{came: make(chan struct{})}
	e := suite{tier: with(n), facts: facts, differs: d}.run(t, in, nil)
	if n.ends == nil {
		t.Fatal("nobody was given the link")
	}
	defer n.ends.Close() //nolint:errcheck // nothing was written
	lines := strings.Fields(e.out)
	// lo, eth0 and its other end; AF_PACKET is no family there; an interface is
	// not the sandbox's to take down. A kernel of its own refuses both in its words.
	want := []string{"3", "ambit", "198.19.255.100", "97", "1"}
	switch {
	case d.OwnLink: // and no filter: AF_PACKET takes a capability
		want[0], want[3] = "2", "1"
	case d.OwnKernel:
		want[3], want[4] = "1", "25"
	}
	if e.Exit != 0 || strings.Join(lines, " ") != strings.Join(want, " ") {
		t.Errorf("exit %d, output %q, want %q; errors %q", e.Exit, lines, want, e.err)
	}
	select {
	case <-n.came:
	case <-time.After(patience):
		t.Error("the packet did not come out of the link")
	}
}

func linkOfTests() *enforce.LinkPlan {
	return &enforce.LinkPlan{Guest: netip.MustParsePrefix("198.19.255.100/24"), Gateway: netip.MustParsePrefix("198.19.255.2/24"),
		Guest6: netip.MustParsePrefix("2001:2::100/64"), Gateway6: netip.MustParsePrefix("2001:2::2/64")}
}

// network reads what comes out of a link.
type network struct {
	ends *enforce.Ends
	came chan struct{}
}

func (n *network) Linked(l *enforce.Ends) error {
	n.ends = l
	go func() {
		b := make([]byte, 1<<17)
		for {
			size, err := l.Frames.Read(b)
			if err != nil {
				return
			}
			if bytes.Contains(b[:size], []byte("a packet of the sandbox")) {
				close(n.came)
				return
			}
		}
	}()
	return nil
}
