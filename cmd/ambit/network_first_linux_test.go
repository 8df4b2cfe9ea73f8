package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// waitingNetwork is one that begins with the first packet, and what sends it.
func waitingNetwork(t *testing.T, begin func(*enforce.Ends) error) (n *network, sandbox int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(pair[1]) })
	n = &network{live: &live{}}
	n.first.begin = begin
	if err := n.Linked(&enforce.Ends{Frames: os.NewFile(uintptr(pair[0]), "link")}); err != nil {
		t.Fatal(err)
	}
	return n, pair[1]
}

// TestFirstPacket: it begins with the first packet, once, and the packet is still
// there.
func TestFirstPacket(t *testing.T) {
	began := make(chan error, 2)
	n, sandbox := waitingNetwork(t, func(l *enforce.Ends) error {
		b := make([]byte, 16)
		size, err := l.Frames.Read(b)
		if err == nil && string(b[:size]) != "packet" {
			err = fmt.Errorf("the first packet is %q", b[:size])
		}
		began <- errors.Join(err, l.Close())
		return nil
	})
	if n.running() || len(began) != 0 {
		t.Error("it has begun before anything was sent")
	}
	if _, err := unix.Write(sandbox, []byte("packet")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-began:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not begin")
	}
	if err := n.begin(); err != nil || len(began) != 0 {
		t.Errorf("it begins again: %v", err)
	}
	n.stop()
	n.stop()
}

// TestFirstPacketNever: a link that nobody used is closed, and nothing else that
// has its numbers by now.
func TestFirstPacketNever(t *testing.T) {
	n, sandbox := waitingNetwork(t, func(*enforce.Ends) error { t.Error("it has begun"); return nil })
	n.stop()
	n.stop() // has waited until it is closed
	if _, err := unix.Write(sandbox, []byte("packet")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("its link is open: %v", err)
	}
	var later []*os.File
	for range 8 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		later = append(later, f)
	}
	n.stop()
	for _, f := range later {
		if err := f.Close(); err != nil {
			t.Errorf("somebody else's descriptor was closed: %v", err)
		}
	}
	if n.begin() == nil {
		t.Error("it begins after its end")
	}
}

// TestLinkAfterTheEnd: a link that was made while the session ended is closed.
func TestLinkAfterTheEnd(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	n := &network{live: &live{}}
	n.first.begin = func(*enforce.Ends) error { t.Error("it has begun"); return nil }
	if err := n.begin(); !errors.Is(err, errNoLink) {
		t.Errorf("without a link: %v", err)
	}
	n.stop()
	if err := n.Linked(&enforce.Ends{Frames: os.NewFile(uintptr(pair[0]), "link")}); !errors.Is(err, errSessionEnded) {
		t.Errorf("a link after the end: %v", err)
	}
	if _, err := unix.Write(pair[1], []byte("packet")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("it is open: %v", err)
	}
	n.stop()
}
