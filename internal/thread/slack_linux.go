//go:build linux && (amd64 || arm64)

package thread

import (
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/entry"
)

// Before is the slack of timers that whatever is started from here should have, in
// nanoseconds; 0 where this process has it, too. Package entry changes it.
func Before() uintptr { return entry.Slack() }

// Exact has the timers of every thread be as exact as they were when the process was
// started. It is for sessions in which others wait for what this process does.
//
// It is to be called before anything is launched: it waits for every thread to take a
// signal, and one that waits for a row of calls (package namespace), or serves held calls
// with its signals blocked, takes none. Everything would stand still with it.
func Exact() { exact() }

var exact = sync.OnceFunc(func() {
	if before := Before(); before != 0 {
		// Where C code is linked this cannot be done, and timers stay late.
		_, _, _ = syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, before, 0)
	}
})

// Exactly does something on a thread whose timers are exact. What it starts has that
// from it.
func Exactly(do func() error) error {
	before := Before()
	if before == 0 {
		return do()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return do()
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, before, 0, 0, 0) // it never fails
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(now), 0, 0, 0) }()
	return do()
}
