//go:build linux

package thread

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These two are not public API. The runtime's source names them as used by
// others (gVisor) and promises to keep their signatures.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// call makes a system call that blocks: the processor is given up before and not
// taken away during it. What its arguments point to is kept alive by the caller.
//
//go:nosplit
func call(nr, a, b, c uintptr) syscall.Errno {
	_, e := result(nr, a, b, c, 0)
	return e
}

// result is call with one more argument, and with what the system call returned.
//
//go:nosplit
func result(nr, a, b, c, d uintptr) (uintptr, syscall.Errno) {
	entersyscallblock()
	n, _, e := syscall.RawSyscall6(nr, a, b, c, d, 0, 0)
	exitsyscall()
	return n, e
}

// Wait4 waits for a child as wait4(2) does, and keeps how it ended in status.
func Wait4(pid int, status *unix.WaitStatus) error {
	e := call(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(status)), 0)
	runtime.KeepAlive(status)
	return failure(e)
}

// Read waits until there is something to be read by read(2).
func Read(fd int, b []byte) error {
	e := call(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	runtime.KeepAlive(b)
	return failure(e)
}

// Poll waits for what fds say, as poll(2) does without a bound on time.
func Poll(fds []unix.PollFd) error {
	e := call(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), 0) // no mask of signals either
	runtime.KeepAlive(fds)
	return failure(e)
}

// EpollWait waits for what an epoll instance says, as epoll_wait(2) does without a bound on
// time, and returns how many of events it has filled.
func EpollWait(fd int, events []unix.EpollEvent) (int, error) {
	n, e := result(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), never)
	runtime.KeepAlive(events)
	return int(n), failure(e)
}

// never is the bound of what waits without one.
const never = ^uintptr(0)

// Fdatasync waits for the disk, as fdatasync(2).
func Fdatasync(fd int) error { return failure(call(unix.SYS_FDATASYNC, uintptr(fd), 0, 0)) }

// Flock waits for a lock, as flock(2).
func Flock(fd, how int) error { return failure(call(unix.SYS_FLOCK, uintptr(fd), uintptr(how), 0)) }

func failure(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
