package frame_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"ambit.dev/ambit/internal/egress/frame"
	"ambit.dev/ambit/internal/egress/leaktest"
)

// TestMain runs the tests, and waits until no goroutine is left of them.
func TestMain(m *testing.M) { leaktest.Main(m) }

// sink keeps what a link delivers.
type sink struct {
	mu   sync.Mutex
	got  []string // guarded by mu; protocol and payload
	more chan struct{}
}

func newSink() *sink { return &sink{more: make(chan struct{}, 1000)} }

func (s *sink) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := pkt.ToView()
	defer v.Release()
	b := v.AsSlice()[len(pkt.LinkHeader().Slice()):]
	kind := map[tcpip.NetworkProtocolNumber]string{header.IPv4ProtocolNumber: "4", header.IPv6ProtocolNumber: "6", header.ARPProtocolNumber: "arp"}[p]
	s.got = append(s.got, kind+":"+string(b))
	s.more <- struct{}{}
}

func (s *sink) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

// wait returns the first n deliveries.
func (s *sink) wait(t *testing.T, n int) []string {
	t.Helper()
	for range n {
		select {
		case <-s.more:
		case <-time.After(30 * time.Second):
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("%d packets came, want %d: %.200q", len(s.got), n, s.got)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func pair(t *testing.T, kind int) (ours int, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _ = f.Close() })
	return fds[0], f
}

// ethernet makes a frame.
func ethernet(kind uint16, payload string) []byte {
	b := append(make([]byte, 12), byte(kind>>8), byte(kind))
	return append(b, payload...)
}

const (
	ip4 = "\x45 four"
	ip6 = "\x60 six"
)

func TestSocketReceives(t *testing.T) {
	big := "\x45" + strings.Repeat("b", 65_519)
	var many [][]byte
	var each []string
	for _, n := range []int{2033, 2034, 2035, 4096, 40_945, 40_946, 40_947, 65_519, 65_520} {
		text := "\x45" + strings.Repeat("0123456", n/7) + "!"
		many, each = append(many, ethernet(0x800, text)), append(each, "4:"+text)
	}
	for name, tc := range map[string]struct {
		opt    frame.Options
		frames [][]byte
		want   []string
	}{
		"a fixed end": {
			frame.Options{MTU: 65520, Ethernet: true, Guest: "\x02\x00\x00\x00\x00\x02"},
			[][]byte{ethernet(0x800, ip4), ethernet(0x806, "arp"), ethernet(0x86dd, ip6), []byte("short"), ethernet(0x88cc, "lldp"), {}, ethernet(0x800, big)},
			[]string{"4:" + ip4, "6:" + ip6, "4:" + big},
		},
		"of every size": {frame.Options{MTU: 65520, Ethernet: true, Guest: "\x02\x00\x00\x00\x00\x02"}, many, each},
		"an end to be found": {
			frame.Options{MTU: 1500, Ethernet: true},
			[][]byte{ethernet(0x806, "arp"), ethernet(0x800, ip4)},
			[]string{"arp:arp", "4:" + ip4},
		},
		"with a header": {
			frame.Options{MTU: 65520, Ethernet: true, Guest: "\x02\x00\x00\x00\x00\x02", Header: true},
			[][]byte{
				append(make([]byte, 10), ethernet(0x800, ip4)...),
				append([]byte{1, 5, 0, 0, 0, 0, 0, 0, 0, 0}, ethernet(0x800, "segments of UDP")...),
				make([]byte, 10), make([]byte, 3),
				append([]byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, ethernet(0x86dd, ip6)...),
			},
			[]string{"4:" + ip4, "6:" + ip6},
		},
		"bare packets": {
			frame.Options{MTU: 1500},
			[][]byte{[]byte(ip4), []byte("\x15"), []byte(ip6)},
			[]string{"4:" + ip4, "6:" + ip6},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := pair(t, unix.SOCK_DGRAM)
			l, err := frame.Socket(ours, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := newSink()
			l.Attach(s)
			for _, f := range tc.frames {
				if _, err := theirs.Write(f); err != nil {
					t.Fatal(err)
				}
			}
			got := s.wait(t, len(tc.want))
			for i, w := range tc.want {
				if got[i] != w {
					t.Errorf("packet %d: %.40q of %d bytes, want %.40q of %d", i, got[i], len(got[i]), w, len(w))
				}
			}
		})
	}
}

// write has the link send packets with these payloads.
func write(t *testing.T, l *frame.Link, payloads ...string) {
	t.Helper()
	var list stack.PacketBufferList
	for _, p := range payloads {
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
			ReserveHeaderBytes: int(l.MaxHeaderLength()), Payload: buffer.MakeWithData([]byte(p)),
		})
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
		pkt.EgressRoute.RemoteLinkAddress = "\x02\x00\x00\x00\x00\x09"
		l.AddHeader(pkt)
		list.PushBack(pkt)
	}
	if n, err := l.WritePackets(list); err != nil || n != len(payloads) {
		t.Errorf("%d, %v", n, err)
	}
	list.Reset()
}

func TestSocketSends(t *testing.T) {
	for name, tc := range map[string]struct {
		opt  frame.Options
		want string // before the payload
	}{
		"a fixed end":        {frame.Options{Ethernet: true, Guest: "\x02\x00\x00\x00\x00\x02"}, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00"},
		"an end to be found": {frame.Options{Ethernet: true}, "\x02\x00\x00\x00\x00\x09\x02\x00\x00\x00\x00\x01\x08\x00"},
		"with a header":      {frame.Options{Header: true}, strings.Repeat("\x00", 10)},
		"bare packets":       {frame.Options{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := pair(t, unix.SOCK_DGRAM)
			l, err := frame.Socket(ours, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var payloads []string
			for i := range 40 {
				payloads = append(payloads, strings.Repeat(string(rune('a'+i%26)), i+1))
			}
			for i := 0; i < len(payloads); i += 8 { // the queue of such a socket is short
				write(t, l, payloads[i:i+8]...)
				for _, p := range payloads[i : i+8] {
					b := make([]byte, 2000)
					_ = theirs.SetReadDeadline(time.Now().Add(time.Minute))
					n, err := theirs.Read(b)
					if err != nil || string(b[:n]) != tc.want+p {
						t.Fatalf("frame %q, %v; want %q", b[:n], err, tc.want+p)
					}
				}
			}
			if l.Dropped() != 0 {
				t.Errorf("%d frames were dropped", l.Dropped())
			}
		})
	}
}

// TestNobodyReads: what is not taken is dropped, and nobody waits.
func TestNobodyReads(t *testing.T) {
	ours, _ := pair(t, unix.SOCK_DGRAM)
	l, err := frame.Socket(ours, frame.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 1000 {
		write(t, l, "x")
	}
	if l.Dropped() == 0 {
		t.Error("nothing was dropped")
	}

	c, theirs := net.Pipe()
	defer theirs.Close()
	s := frame.Stream(c, frame.Options{MTU: 1500})
	defer s.Close()
	for range 2000 {
		write(t, s, "x")
	}
	if s.Dropped() == 0 {
		t.Error("nothing was dropped on a stream")
	}
}

func TestStream(t *testing.T) {
	c, theirs := net.Pipe()
	defer theirs.Close()
	l := frame.Stream(c, frame.Options{MTU: 1500})
	defer l.Close()
	s := newSink()
	l.Attach(s)
	var in []byte
	for _, f := range [][]byte{ethernet(0x800, ip4), ethernet(0x806, "arp"), ethernet(0x86dd, ip6)} {
		in = append(binary.BigEndian.AppendUint32(in, uint32(len(f))), f...)
	}
	for i := range in { // byte by byte
		if _, err := theirs.Write(in[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.wait(t, 3); got[0] != "4:"+ip4 || got[1] != "arp:arp" || got[2] != "6:"+ip6 {
		t.Errorf("%q", got)
	}
	write(t, l, "payload")
	b := make([]byte, 100)
	_ = theirs.SetReadDeadline(time.Now().Add(time.Minute))
	n := 0
	for n < 4+14+7 {
		k, err := theirs.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if want := "\x00\x00\x00\x15\x02\x00\x00\x00\x00\x09\x02\x00\x00\x00\x00\x01\x08\x00payload"; string(b[:n]) != want {
		t.Errorf("%q, want %q", b[:n], want)
	}
}

// TestStreamEnds: a stream whose lengths make no sense ends, and says so.
func TestStreamEnds(t *testing.T) {
	for _, in := range []string{"\x00\x00\x00\x0d", "\xff\xff\xff\xff", "\x00\x00\x06\x00", "\x00\x00\x00\x20short"} {
		c, theirs := net.Pipe()
		l := frame.Stream(c, frame.Options{MTU: 1500})
		l.Attach(newSink())
		if _, err := theirs.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		_ = theirs.Close()
		select {
		case <-l.Done():
			if l.Err() == nil {
				t.Errorf("%q: no error", in)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%q: it goes on", in)
		}
		l.Close()
	}
}

// TestClose: a link that is closed ends at once, whatever it waits for, and says
// that nothing went wrong. goleak sees what is left.
func TestClose(t *testing.T) {
	before, _ := os.ReadDir("/proc/self/fd")
	for range 20 {
		ours, theirs := pair(t, unix.SOCK_DGRAM)
		l, err := frame.Socket(ours, frame.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.Attach(newSink())
		l.Close()
		l.Close()
		if <-l.Done(); l.Err() != nil {
			t.Errorf("closed: %v", l.Err())
		}
		write(t, l, "late")
		_ = theirs.Close()
		c, other := net.Pipe()
		s := frame.Stream(c, frame.Options{MTU: 1500})
		s.Attach(newSink())
		write(t, s, "unread")
		s.Close()
		if s.Err() != nil {
			t.Errorf("closed: %v", s.Err())
		}
		_ = other.Close()
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) > len(before) {
		t.Errorf("%d descriptors before, %d after", len(before), len(after))
	}
}

func FuzzStream(f *testing.F) {
	f.Add(append([]byte{0, 0, 0, 20}, ethernet(0x800, ip4+"...")...))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		c, theirs := net.Pipe()
		l := frame.Stream(c, frame.Options{MTU: 1500})
		defer l.Close()
		s := &sink{more: make(chan struct{}, len(in)+1)}
		l.Attach(s)
		go func() {
			_, _ = theirs.Write(in)
			_ = theirs.Close()
		}()
		<-l.Done()
		if n := bytes.Count(in, []byte{0x08, 0}) + bytes.Count(in, []byte{0x86, 0xdd}) + bytes.Count(in, []byte{0x08, 6}); len(s.got) > n {
			t.Errorf("%d packets from %x", len(s.got), in)
		}
	})
}
