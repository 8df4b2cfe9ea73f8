//go:build linux

package seccomp_test

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// install puts the filter over the calling thread, which stays locked to its
// goroutine, and returns the listener or -1.
func install(o seccomp.Options) (int, error) { return installWith(o, o.Flags()) }

func installWith(o seccomp.Options, flags uintptr) (int, error) {
	runtime.LockOSThread()
	filter, err := seccomp.Filter(o)
	if err != nil {
		return -1, err
	}
	program, err := seccomp.Program(filter)
	if err != nil {
		return -1, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, fmt.Errorf("set no_new_privs: %w", err)
	}
	fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if e != 0 {
		return -1, fmt.Errorf("install filter: %w", e)
	}
	if !o.Holds() {
		return -1, nil
	}
	return int(fd), nil
}

// address returns where b lies. The caller keeps b alive.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }

// run jumps to machine code that takes nothing and returns a word.
func run(code []byte) uintptr {
	start := &code[0]
	closure := &start // a func value points to a word that points to the code
	return (*(*func() uintptr)(unsafe.Pointer(&closure)))()
}
