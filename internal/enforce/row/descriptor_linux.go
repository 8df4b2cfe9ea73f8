//go:build linux

package row

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/namespace"
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

// Descriptors opens the folder of the process's own descriptors: a path through it begins
// at a descriptor, also in a namespace without a /proc that knows the process. By such a
// path mounts are reached that no other one leads to, and no folder is entered.
func Descriptors(l *namespace.List) namespace.Slot {
	fd := l.NewSlot()
	l.Call("open /proc/self/fd", unix.SYS_OPENAT, namespace.CWD, l.Str("/proc/self/fd"), namespace.N(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).Keep(fd)
	return fd
}
