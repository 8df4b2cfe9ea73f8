//go:build !linux

package thread

import "syscall"

// Flock waits for a lock, as flock(2).
func Flock(fd, how int) error { return syscall.Flock(fd, how) }
