package fuse_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// TestClaim holds that a request goes to who has claimed the device, and to who waits
// otherwise: none is lost, whoever it was sent to.
func TestClaim(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	d, err := fuse.NewDevice(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	heard := make(chan string)
	go func() {
		defer close(heard)
		for b := make([]byte, 16); ; {
			n, err := d.Read(b)
			if n == 0 || err != nil {
				return
			}
			heard <- string(b[:n])
		}
	}()
	send := func(text string) {
		if _, err := unix.Write(pair[1], []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nobody hears %q", want)
		}
	}
	for range 100 {
		send("before")
		next("before")
		if !d.Claim() {
			t.Fatal("the device cannot be claimed")
		}
		if d.Claim() {
			t.Fatal("the device was claimed twice")
		}
		b := make([]byte, 16)
		if n, err := d.Pending(b); n != 0 || err != nil {
			t.Errorf("nothing was sent: %d bytes, %v", n, err)
		}
		send("claimed")
		send("left")
		if n, err := d.Pending(b); err != nil || string(b[:n]) != "claimed" {
			t.Errorf("who claims it has %q, %v", b[:n], err)
		}
		d.Release()
		next("left")
	}
	d.Stop()
	if text, ok := <-heard; ok {
		t.Errorf("heard %q after the end", text)
	}
	d.Close()
	if d.Claim() {
		t.Error("a closed device was claimed")
	}
}
