package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF08Reopen(t *testing.T) {
	reopen := func(first, then int) func(f *field) error {
		return func(f *field) error {
			fd, err := unix.Open(f.read("file"), first, 0)
			if err != nil {
				return err
			}
			return overwriteAt(unix.AT_FDCWD, "/proc/self/fd/"+itoa(fd), then)
		}
	}
	no := refused(unix.EROFS, unix.EACCES)
	attack{
		ID: "F8", Title: "open a descriptor again with more rights than it has",
		Reference: "CVE-2019-5736 (runc: /proc/self/exe reopened for writing)",
		Tiers:     process,
		Tries: []try{
			{Name: "O_PATH to O_RDWR", Do: reopen(unix.O_PATH, unix.O_RDWR), Want: no},
			{Name: "O_RDONLY to O_WRONLY", Do: reopen(unix.O_RDONLY, unix.O_WRONLY), Want: no},
			{Name: "O_RDONLY to O_TRUNC", Do: reopen(unix.O_RDONLY, unix.O_WRONLY|unix.O_TRUNC), Want: no},
			{Name: "/dev/fd", Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				return overwriteAt(unix.AT_FDCWD, "/dev/fd/"+itoa(fd), unix.O_WRONLY|unix.O_APPEND)
			}, Want: no},
			{Name: "the program's own file", Do: func(*field) error { return closing(unix.Open("/proc/self/exe", unix.O_WRONLY, 0)) },
				NoControl: "a running program is busy", Want: refused(unix.EROFS, unix.EACCES, unix.ETXTBSY)},
			{Name: "the file of process 1", Do: func(*field) error { return closing(unix.Open("/proc/1/exe", unix.O_WRONLY, 0)) },
				NoControl: "it is the host's", Want: refused(unix.EROFS, unix.EACCES, unix.ETXTBSY, unix.EPERM)},
		},
	}.run(t)
}
