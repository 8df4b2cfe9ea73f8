//go:build linux

package egress

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// A poller tells pipes when their sockets can be read or written. One goroutine
// serves them all, where waiting with the runtime's poller would take one for
// each direction of each connection, and with it a stack.
type poller struct {
	file *os.File // the epoll descriptor, which is itself waited for by the runtime
	fd   int
	bell int // an eventfd in it

	mu      sync.Mutex
	all     map[int32]*pipe // guarded by mu; by descriptor
	waiting []*direction    // guarded by mu; those that go on once sockets and the link were looked at
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("make an epoll descriptor: %w", err)
	}
	o := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, all: map[int32]*pipe{}}
	if o.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("make an event descriptor: %w", err), o.file.Close())
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(o.bell)}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, o.bell, &event); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for an event descriptor: %w", err), unix.Close(o.bell), o.file.Close())
	}
	return o, nil
}

// later has a direction go on after a look at everything that waits. The runtime
// looks at descriptors only when no goroutine can run, or every 10 ms: without
// this a connection that always has something to carry would hold up all others,
// and the packets of the link, for that long.
func (o *poller) later(d *direction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, d)
	if len(o.waiting) == 1 {
		o.ring()
	}
}

// next has the first of those that wait go on; before the one behind it there is
// another look.
func (o *poller) next() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return
	}
	d := o.waiting[0]
	o.waiting[0] = nil
	if o.waiting = o.waiting[1:]; len(o.waiting) > 0 {
		o.ring()
	}
	d.pool.Do(d.run)
}

// ring has the poller see that somebody waits. What it counts is never read: each
// time is an event of its own (EPOLLET), and it holds more than can be counted.
func (o *poller) ring() { _, _ = unix.Write(o.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// add has p told of its socket from now on, and at once.
func (o *poller) add(p *pipe) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[int32(p.fd)] = p
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(p.fd)}
	return unix.EpollCtl(o.fd, unix.EPOLL_CTL_ADD, p.fd, &event)
}

// remove forgets p, whose descriptor may be used for another afterwards.
func (o *poller) remove(p *pipe) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all[int32(p.fd)] == p {
		delete(o.all, int32(p.fd))
		_ = unix.EpollCtl(o.fd, unix.EPOLL_CTL_DEL, p.fd, nil) // it is there
	}
}

// run serves until close.
func (o *poller) run() {
	defer unix.Close(o.bell) //nolint:errcheck // nothing is lost by it
	raw, err := o.file.SyscallConn()
	if err != nil {
		return // it was closed before
	}
	var events [128]unix.EpollEvent
	_ = raw.Read(func(uintptr) bool { // it returns when the file is closed
		for {
			n, err := unix.EpollWait(o.fd, events[:], 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				return false
			}
			rung := false
			for _, e := range events[:n] {
				if e.Fd == int32(o.bell) {
					rung = true
					continue
				}
				o.tell(e)
			}
			if rung {
				runtime.Gosched() // whatever can go on goes first
				o.next()
			}
			if n < len(events) {
				return false // that was all; what comes after it wakes the runtime's poller
			}
		}
	})
}

func (o *poller) tell(e unix.EpollEvent) {
	o.mu.Lock()
	p := o.all[e.Fd]
	o.mu.Unlock()
	if p == nil {
		return
	}
	const broken = unix.EPOLLERR | unix.EPOLLHUP
	if e.Events&(unix.EPOLLRDHUP|broken) != 0 {
		p.hung.Store(true) // before it is woken: what it does now may have looked already
	}
	if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|broken) != 0 {
		p.down.wake()
	}
	if e.Events&(unix.EPOLLOUT|broken) != 0 {
		p.up.wake()
	}
}

func (o *poller) close() error { return o.file.Close() }
