package egress_test

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/egress/frame"
)

// packet4 is an IPv4 packet with a right header checksum around a payload.
func packet4(protocol byte, dst [4]byte, payload []byte) []byte {
	n := 20 + len(payload)
	b := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 1, 0, 0, 64, protocol, 0, 0, 198, 19, 255, 100, dst[0], dst[1], dst[2], dst[3]}
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	b[10], b[11] = byte(^sum>>8), byte(^sum)
	return append(b, payload...)
}

// FuzzPackets sends a plane whatever the kernel of a guest may make up. It has to
// go on: a plane that ends takes its sandbox along.
func FuzzPackets(f *testing.F) {
	syn := []byte{0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0}
	f.Add(packet4(6, [4]byte{1, 1, 1, 1}, syn))
	f.Add(packet4(6, [4]byte{198, 18, 0, 1}, syn))
	f.Add(packet4(17, [4]byte{198, 19, 255, 3}, []byte{0x30, 0x39, 0, 53, 0, 20, 0, 0, 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}))
	f.Add(packet4(17, [4]byte{8, 8, 8, 8}, []byte{0x30, 0x39, 0, 53, 0, 9, 0, 0, 'x'}))
	f.Add(packet4(1, [4]byte{1, 1, 1, 1}, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}))
	f.Add([]byte{0x60, 0, 0, 0, 0, 20, 6, 64})
	f.Add([]byte{0x4f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2000 {
			return
		}
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		theirs := os.NewFile(uintptr(fds[1]), "guest")
		defer theirs.Close()
		// With a header, so that checksums are not looked at.
		l, err := frame.Socket(fds[0], frame.Options{MTU: 65520, Header: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := egress.New(context.Background(), egress.Config{
			Link: l, Known: func(string) bool { return true },
			Checker: checkerFunc(func(r decision.Request) decision.Decision { return decision.Failed(r, nil) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 2 {
			if _, err := theirs.Write(append(make([]byte, 10), b...)); err != nil {
				t.Fatal(err)
			}
		}
		// It is there still if it answers a ping to itself.
		ping := packet4(1, [4]byte{198, 19, 255, 2}, []byte{8, 0, 0xf7, 0xfe, 0, 0, 0, 1})
		if _, err := theirs.Write(append(make([]byte, 10), ping...)); err != nil {
			t.Fatal(err)
		}
		_ = theirs.SetReadDeadline(time.Now().Add(30 * time.Second))
		for {
			in := make([]byte, 70_000)
			n, err := theirs.Read(in)
			if err != nil {
				t.Fatalf("no answer after %x: %v", b, err)
			}
			if n >= 10+28 && in[10+9] == 1 && in[10+20] == 0 {
				return
			}
		}
	})
}
