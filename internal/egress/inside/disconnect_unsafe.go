//go:build linux

package inside

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect makes a TCP socket one that is not connected and does not listen
// (connect(2), AF_UNSPEC).
func disconnect(fd int) error {
	unspecified := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspecified)), unsafe.Sizeof(unspecified))
	if errno != 0 {
		return errno
	}
	return nil
}
