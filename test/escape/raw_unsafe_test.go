package escape_test

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A call is one system call of a row, as plain numbers.
type call struct {
	nr  uintptr
	arg [6]uintptr
}

// kept stands for the result of the call before.
const kept = ^uintptr(0) - 77

func sys(nr uintptr, args ...uintptr) call {
	c := call{nr: nr}
	copy(c.arg[:], args)
	return c
}

// raw makes one system call.
func raw(nr uintptr, args ...uintptr) (uintptr, error) {
	c := sys(nr, args...)
	r, _, e := unix.Syscall6(c.nr, c.arg[0], c.arg[1], c.arg[2], c.arg[3], c.arg[4], c.arg[5])
	if e != 0 {
		return r, e
	}
	return r, nil
}

// text is the address of a zero-ended copy of s. It is never freed: an
// attempting process does not live long.
func text(s string) uintptr {
	b := append([]byte(s), 0)
	alive = append(alive, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

func address[T any](p *T) uintptr {
	alive = append(alive, p)
	return uintptr(unsafe.Pointer(p))
}

var alive []any

// forked makes the calls one after the other in a new process with the given
// flags of clone, and answers the first error. Flags that a single thread must
// give itself (unshare of a user namespace) are possible there.
func forked(flags uintptr, calls ...call) error {
	runtime.LockOSThread()
	pid, e := forkCalls(flags|uintptr(unix.SIGCHLD), calls)
	if e != 0 {
		return e
	}
	var ws unix.WaitStatus
	for {
		if _, err := unix.Wait4(int(pid), &ws, 0, nil); err != unix.EINTR {
			break
		}
	}
	if ws.Signaled() {
		return unix.EIO
	}
	if n := ws.ExitStatus(); n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// forkCalls: the child makes raw calls only; it is a copy of one thread.
//
//go:norace
//go:nosplit
func forkCalls(flags uintptr, calls []call) (uintptr, syscall.Errno) {
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if e != 0 || pid != 0 {
		return pid, e
	}
	var last uintptr
	for i := range calls {
		a := calls[i].arg
		for j := range a {
			if a[j] == kept {
				a[j] = last
			}
		}
		r, _, e := syscall.RawSyscall6(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			for {
				_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(e), 0, 0)
			}
		}
		last = r
	}
	for {
		_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// clone3 makes a process whose flags lie in memory, and waits for its end.
//
//go:norace
//go:nosplit
func clone3(args *[11]uint64) error {
	pid, _, e := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0)
	if e != 0 {
		return e
	}
	if pid == 0 {
		for {
			_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return err
}

func pointer[T any](p *T) unsafe.Pointer {
	alive = append(alive, p)
	return unsafe.Pointer(p)
}
