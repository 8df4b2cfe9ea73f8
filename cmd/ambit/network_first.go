package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A run that asks has a link, since a connection can be asked about; most such
// runs never use it. So the process of the network is started with the first
// packet, or the first port. Packets wait in the link meanwhile.

// first is the beginning of a network. The zero value with done is one that has
// begun.
type first struct {
	begin func(*enforce.Ends) error // nil: it begins with the sandbox
	waits sync.WaitGroup            // whoever waits for a packet
	wake  int                       // an eventfd that ends the wait; set before anybody waits

	mu   sync.Mutex    // held while it begins
	link *enforce.Ends // guarded by mu; nil before there is a link, and once it was given away
	done bool          // guarded by mu; it has begun, or will not
	err  error         // guarded by mu; why there is none
}

// awaitFirst keeps the link until its first packet comes.
func (n *network) awaitFirst(l *enforce.Ends) (err error) {
	f := &n.first
	if f.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(fmt.Errorf("make eventfd: %w", err), l.Close())
	}
	frames := int32(l.Frames.Fd()) // stays open until it has begun
	f.mu.Lock()
	f.link = l
	f.mu.Unlock()
	f.waits.Go(func() {
		p := []unix.PollFd{{Fd: frames, Events: unix.POLLIN}, {Fd: int32(f.wake), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(p, -1); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if p[1].Revents == 0 {
			_ = n.begin() // the sandbox is ended where it fails
		}
	})
	return nil
}

// begin has the network begin, if it has not.
func (n *network) begin() error {
	f := &n.first
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.done:
		return f.err
	case f.link == nil:
		return errors.New("the sandbox has no link yet")
	}
	l := f.link
	f.done, f.link = true, nil
	if f.err = f.begin(l); f.err == nil {
		return nil
	}
	n.mu.Lock()
	over, lost := n.over, n.lost
	n.mu.Unlock()
	if !over && lost != nil {
		printf(n.s.app.err, "ambit: the network of the sandbox cannot begin, and the sandbox ends with it: %v\n", f.err)
		lost()
	}
	return f.err
}

// beginLate starts the process and gives it the link, with the grants of now.
func (n *network) beginLate(ctx context.Context, l *enforce.Ends, start func() error) error {
	grants, err := n.asks.grants(ctx)
	if err == nil {
		err = start()
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return n.handOver(l, grants)
}

// running reports whether the process is there to be told something. It waits
// where it is about to be.
func (n *network) running() bool {
	n.first.mu.Lock()
	defer n.first.mu.Unlock()
	return n.first.done && n.egress != nil
}

// endWait ends the wait for a first packet. It reports whether there is a process
// to be ended.
func (n *network) endWait() bool {
	f := &n.first
	if f.begin == nil {
		return true
	}
	if f.wake > 0 {
		_, _ = unix.Write(f.wake, binary.NativeEndian.AppendUint64(nil, 1)) // there is room for one
		f.waits.Wait()
		_ = unix.Close(f.wake) // nothing was written that is missed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	if f.link != nil {
		_ = f.link.Close() // nobody has anything of it
		f.link, f.err = nil, errors.New("the session has ended")
	}
	return n.egress != nil
}
