//go:build linux

package row

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// High moves a descriptor out of the way of those that a sandbox gets, which are the
// lowest. The first one stays open.
func High(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 16)
	if err != nil {
		return -1, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return n, nil
}
