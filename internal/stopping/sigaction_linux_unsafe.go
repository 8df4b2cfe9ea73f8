//go:build linux

package stopping

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// action is the kernel's struct sigaction of rt_sigaction(2), the same on
// amd64 and arm64.
type action struct {
	handler  uintptr // 0: SIG_DFL, 1: SIG_IGN
	flags    uint64
	restorer uintptr
	mask     uint64
}

// sigaction reads what a signal does, and sets it unless new is nil.
func sigaction(sig unix.Signal, set *action) (was action, err error) {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(&was)), 8, 0, 0)
	if errno != 0 {
		return was, fmt.Errorf("set what %s does: %w", unix.SignalName(sig), errno)
	}
	return was, nil
}
