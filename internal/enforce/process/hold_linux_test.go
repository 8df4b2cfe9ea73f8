package process

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLeave holds that what is left to the kernel stays open until it may be closed, is
// closed then by nobody here, and that nothing of it stays in the process.
func TestLeave(t *testing.T) {
	ends := make([]int, 2)
	if err := unix.Pipe2(ends, unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	left, err := unix.Dup(ends[0])
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(ends[0])
	unread := func(within time.Duration) bool {
		p := []unix.PollFd{{Fd: int32(ends[1]), Events: unix.POLLERR}}
		for end := time.Now().Add(within); ; {
			n, err := unix.Poll(p, max(0, int(time.Until(end).Milliseconds())))
			switch {
			case err == nil:
				return n == 1 && p[0].Revents&unix.POLLERR != 0
			case !errors.Is(err, unix.EINTR):
				t.Fatal(err)
			}
		}
	}
	closed := leave(left)
	if _, err := unix.FcntlInt(uintptr(left), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("what was left is open here: %v", err)
	}
	if unread(20 * time.Millisecond) {
		t.Error("it was closed before it might be")
	}
	closed()
	if !unread(time.Minute) {
		t.Error("nobody closed it")
	}
}
