package companion

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lateBy is how late timers may be. Those of a companion are counted in tens of
// milliseconds and more.
const lateBy = 5 * time.Millisecond

// Late has every timer of this process be late. Go's monitor of its threads (package
// thread) sleeps by one while anything goes on, each 20 microseconds: that took a tenth
// of the time of a network, and half of that still where it was a millisecond. It is for
// processes whose system calls do not block, which is what the monitor would find, and
// has to be called before a filter forbids it.
func Late() error {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(lateBy), 0); errno != 0 {
		return fmt.Errorf("let timers be late: %w", errno)
	}
	return nil
}
