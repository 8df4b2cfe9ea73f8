//go:build linux

package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// A bell wakes one thread, which waits for it in the kernel. To wake a goroutine
// that has a thread of its own, the scheduler first wakes another one, which has to
// find it: that took a launch some tenths of a millisecond. It is an eventfd(2).
type bell int

func newBell() (bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make an eventfd: %w", err)
	}
	return bell(fd), nil
}

// ring wakes who waits; once.
func (b bell) ring() {
	_, _ = unix.Write(int(b), []byte{1, 0, 0, 0, 0, 0, 0, 0}) // there is room for one
}

// wait returns when it was rung, and gives it up.
func (b bell) wait() {
	var count [8]byte
	for {
		if err := thread.Read(int(b), count[:]); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	b.close()
}

// close gives up a bell that nobody waits for.
func (b bell) close() { _ = unix.Close(int(b)) } // it has nothing to lose
