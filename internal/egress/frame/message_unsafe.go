//go:build linux

package frame

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is struct mmsghdr (recvmmsg(2)).
type message struct {
	head unix.Msghdr
	n    uint32
	_    [4]byte
}

func (m *message) set(iov []unix.Iovec) {
	m.head = unix.Msghdr{}
	if len(iov) > 0 {
		m.head.Iov = unsafe.SliceData(iov)
		m.head.SetIovlen(len(iov))
	}
}

func (m *message) size() int { return int(m.n) }

// appendVector adds a piece of memory, which the caller keeps alive.
func appendVector(to []unix.Iovec, b []byte) []unix.Iovec {
	if len(b) == 0 {
		return to
	}
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	return append(to, v)
}

// receiveMessages receives what is there.
func receiveMessages(fd uintptr, m []message) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// sendMessages sends what can be sent at once, and returns how many.
func sendMessages(fd uintptr, m []message) int {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// readVectors and writeVectors move one frame of a device.
func readVectors(fd uintptr, iov []unix.Iovec) (int, unix.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
	return int(n), errno
}

func writeVectors(fd uintptr, iov []unix.Iovec) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
	return errno
}
