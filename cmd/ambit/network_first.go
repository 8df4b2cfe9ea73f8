package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A run that asks has a link, since a connection can be asked about; most such
// runs never use it. So the tier makes it with the first socket, which waits, and the
// process of the network is started with the first packet, or the first port. Packets
// wait in the link meanwhile.

// first is the beginning of a network. The zero value with done is one that has
// begun.
type first struct {
	begin func(*enforce.Ends) error // nil: it begins with the sandbox
	waits sync.WaitGroup            // whoever waits for a packet, or closes a link that nobody used

	mu   sync.Mutex    // held while it begins
	link *enforce.Ends // guarded by mu; nil before there is a link, and once it was given away
	done bool          // guarded by mu; it has begun, or will not
	err  error         // guarded by mu; why there is none
}

var (
	// errNoLink says that no program of the sandbox has had a socket yet, so that there
	// is nothing to be told of its network.
	errNoLink       = errors.New("the sandbox has no link yet")
	errSessionEnded = errors.New("the session has ended")
)

// awaitFirst keeps the link until its first packet comes. That is waited for by no
// thread of its own.
func (n *network) awaitFirst(l *enforce.Ends) error {
	frames, err := l.Frames.SyscallConn()
	if err != nil {
		return errors.Join(fmt.Errorf("wait for a packet: %w", err), l.Close())
	}
	f := &n.first
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done { // the session ended while it was made
		return errors.Join(errSessionEnded, l.Close())
	}
	f.link = l
	f.waits.Go(func() {
		if frames.Read(packetThere) == nil {
			_ = n.begin() // the sandbox is ended where it fails
		}
	})
	return nil
}

// packetThere reports whether a packet can be read, and leaves it.
func packetThere(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&unix.POLLIN != 0
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
		return errNoLink
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
	if err := n.handOver(l, grants); err != nil {
		return err
	}
	n.live.serve() // before it there is nothing to tell
	return nil
}

// running reports whether the process is there to be told something. It waits
// where it is about to be.
func (n *network) running() bool {
	n.first.mu.Lock()
	defer n.first.mu.Unlock()
	return n.first.done && n.egress != nil
}

// endWait ends the wait for a first packet. It reports whether there is a process
// to be ended. It may be called again, and then waits until a link that nobody used
// is closed: the kernel takes half a millisecond for that.
func (n *network) endWait() bool {
	f := &n.first
	if f.begin == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	if l := f.link; l != nil {
		f.link, f.err = nil, errSessionEnded
		f.waits.Go(func() { _ = l.Close() }) // nobody has anything of it
		return false
	}
	f.mu.Unlock()
	f.waits.Wait()
	f.mu.Lock()
	return n.egress != nil
}
