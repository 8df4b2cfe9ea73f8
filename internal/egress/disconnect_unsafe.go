//go:build linux

package egress

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect breaks a TCP connection off with a reset and keeps the descriptor
// (connect(2), AF_UNSPEC).
func disconnect(fd int) error {
	unspecified := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspecified)), unsafe.Sizeof(unspecified))
	if errno != 0 {
		return errno
	}
	return nil
}
