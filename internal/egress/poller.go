//go:build linux

package egress

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A poller tells pipes when their sockets can be read or written. One goroutine
// serves them all, where waiting with the runtime's poller would take one for
// each direction of each connection, and with it a stack.
type poller struct {
	file *os.File // the epoll descriptor, which is itself waited for by the runtime
	fd   int

	mu  sync.Mutex
	all map[int32]*pipe // guarded by mu; by descriptor
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("make an epoll descriptor: %w", err)
	}
	return &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, all: map[int32]*pipe{}}, nil
}

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
			for _, e := range events[:n] {
				o.tell(e)
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
	if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|broken) != 0 {
		p.down.wake()
	}
	if e.Events&(unix.EPOLLOUT|broken) != 0 {
		p.up.wake()
	}
}

func (o *poller) close() error { return o.file.Close() }
