package fuse

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// BufferSize holds the largest request, setting an extended attribute of 64 KiB.
const BufferSize = 1 << 17

// A Device is the open /dev/fuse with its connection. Its descriptor stays open
// until the last user has returned, so that no reply goes to a descriptor that
// was given to something else.
type Device struct {
	fd   int
	wake int // an eventfd that ends read
	line int // an epoll instance, which Read waits for: it has wake, and fd while nobody claims it

	mu      sync.Mutex
	users   int  // guarded by mu
	closed  bool // guarded by mu
	claimed bool // guarded by mu
}

// NewDevice takes over an open /dev/fuse.
func NewDevice(fd int) (*Device, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make eventfd: %w", err)
	}
	line, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make an epoll instance: %w", err), unix.Close(wake))
	}
	unix.CloseOnExec(fd)
	d := &Device{fd: fd, wake: wake, line: line}
	// Who looks for a request must not wait for one that another has taken.
	if err := errors.Join(unix.SetNonblock(fd, true), d.listen(fd), d.listen(wake)); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for a device: %w", err), unix.Close(wake), unix.Close(line))
	}
	return d, nil
}

// listen has Read hear of a descriptor.
func (d *Device) listen(fd int) error {
	return unix.EpollCtl(d.line, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// Claim has Read hear of no request until Release: who claims the device takes them by
// Pending, and must not wait for anybody meanwhile. It says false where another does.
func (d *Device) Claim() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.claimed || unix.EpollCtl(d.line, unix.EPOLL_CTL_DEL, d.fd, nil) != nil {
		return false
	}
	d.claimed = true
	return true
}

// Release has Read hear of requests again, those that came meanwhile included. Where it
// cannot, Read ends: nobody would answer.
func (d *Device) Release() {
	_ = d.use(func() error {
		if d.listen(d.fd) != nil {
			return d.end()
		}
		return nil
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claimed = false
}

// use runs f unless the device is closed.
func (d *Device) use(f func() error) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return unix.ENODEV
	}
	d.users++
	d.mu.Unlock()
	err := f()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	d.release()
	return err
}

// release closes the descriptors when they are to be closed. d.mu is held.
func (d *Device) release() {
	if d.closed && d.users == 0 {
		_ = unix.Close(d.fd)
		_ = unix.Close(d.wake)
		_ = unix.Close(d.line)
	}
}

// Close ends the connection, as far as no other process has the device open.
func (d *Device) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.release()
	}
}

// Stop makes read return.
func (d *Device) Stop() { _ = d.use(d.end) }

func (d *Device) end() error {
	_, err := unix.Write(d.wake, wire.AppendUint64(nil, 1))
	return err
}

// Read returns the next request, of size 0 when there will be none.
func (d *Device) Read(b []byte) (n int, err error) {
	err = d.use(func() error {
		n, err = d.wait(b)
		return err
	})
	return n, err
}

// Pending returns a request that is there already, of size 0 where there is none.
func (d *Device) Pending(b []byte) (n int, err error) {
	err = d.use(func() error {
		if got, err := unix.Read(d.fd, b); err == nil {
			n = got
		}
		return nil
	})
	return n, err
}

func (d *Device) wait(b []byte) (int, error) {
	events := make([]unix.EpollEvent, 2)
	for {
		switch n, err := thread.EpollWait(d.line, events); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for requests: %w", err)
		case slices.ContainsFunc(events[:n], func(e unix.EpollEvent) bool { return int(e.Fd) == d.wake }):
			return 0, nil
		}
		switch n, err := unix.Read(d.fd, b); {
		case err == nil:
			return n, nil
		// ENOENT: that request was interrupted before it was read.
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOENT):
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ECONNABORTED):
			return 0, nil
		default:
			return 0, fmt.Errorf("read request: %w", err)
		}
	}
}

// Write sends one message. It says ENOENT where nobody waits for it any more.
func (d *Device) Write(message []byte) error {
	return d.use(func() error {
		for {
			if _, err := unix.Write(d.fd, message); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
}

// Reply ends a request.
func (d *Device) Reply(unique uint64, errno unix.Errno, body []byte) error {
	if errno != 0 {
		body = nil
	}
	return d.Write(append(head(unique, -int32(errno), len(body)), body...))
}
