//go:build linux

package process

import (
	"errors"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// A bell wakes one thread, which waits for it in the kernel. To wake a goroutine
// that has a thread of its own, the scheduler first wakes another one, which has to
// find it: that took a launch some tenths of a millisecond.
type bell int

// newBell makes one. Without a descriptor for it nobody waits: what is waited for
// is said by a channel as well.
func newBell() bell {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return -1
	}
	return bell(fd)
}

// ring wakes who waits; once.
func (b bell) ring() {
	if b >= 0 {
		_, _ = unix.Write(int(b), []byte{1, 0, 0, 0, 0, 0, 0, 0}) // there is room for one
	}
}

// wait returns when it was rung, and gives it up.
func (b bell) wait() {
	if b < 0 {
		return
	}
	var count [8]byte
	for {
		if err := thread.Read(int(b), count[:]); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.Close(int(b)) // it is of no use any more
}
