//go:build linux && (amd64 || arm64)

package thread

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catch puts the handler in. It runs on the stack that the runtime has given each of its
// threads for signals, and what it interrupts goes on.
func catch(sig syscall.Signal) {
	const onStack, restart, hasRestorer = 0x08000000, 0x10000000, 0x04000000 // sigaction(2)
	action := struct {                                                       // the kernel's struct sigaction, the same on both architectures
		handler  uintptr
		flags    uint64
		restorer uintptr
		mask     uint64
	}{flags: onStack | restart, mask: ^uint64(0)}
	if action.handler, action.restorer = handlers(); action.restorer != 0 {
		action.flags |= hasRestorer
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0) // for these signals it never fails
}
