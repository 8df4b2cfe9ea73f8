//go:build linux

package main

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// holdCalls has all that comes from this thread wait with changes and executions. It
// returns the descriptor by which they are answered.
func holdCalls() (int, error) {
	filter, err := seccomp.Held()
	if err != nil {
		return -1, err
	}
	program, err := seccomp.Program(filter)
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, seccomp.HeldFlags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return -1, fmt.Errorf("hold calls: %w", errno)
	}
	return int(fd), nil
}
