package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP10Pidfd(t *testing.T) {
	attack{
		ID: "P10", Title: "take descriptors of another process",
		Reference: "pidfd_getfd(2)",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.victim(t) },
		Tries: []try{
			{Name: "pidfd_open", Do: func(f *field) error { return closing(unix.PidfdOpen(f.number("pid"), 0)) }, Want: refused(unix.ESRCH)},
			{Name: "pidfd_getfd", Do: func(f *field) error {
				fd, err := unix.PidfdOpen(f.number("pid"), 0)
				if err != nil {
					return err
				}
				return closing(unix.PidfdGetfd(fd, 1, 0))
			}, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "pidfd_getfd of itself", Do: func(*field) error {
				fd, err := unix.PidfdOpen(unix.Getpid(), 0)
				if err != nil {
					return err
				}
				return closing(unix.PidfdGetfd(fd, 1, 0))
			}, Want: refused(unix.EPERM)},
			{Name: "pidfd_getfd of process 1", NoControl: "what root may do to process 1 depends on the host", Do: func(*field) error {
				fd, err := unix.PidfdOpen(1, 0)
				if err != nil {
					return err
				}
				return reached(closing(unix.PidfdGetfd(fd, 3, 0)), unix.EBADF)
			}, Want: refused(unix.EPERM)},
			{Name: "kcmp", Do: func(f *field) error {
				_, err := raw(unix.SYS_KCMP, uintptr(unix.Getpid()), uintptr(f.number("pid")), 1, 0, 0) // KCMP_VM
				return err
			}, Want: refused(unix.EPERM, unix.ESRCH)},
		},
	}.run(t)
}
