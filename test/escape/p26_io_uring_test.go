package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP26IOUring(t *testing.T) {
	attack{
		ID: "P26", Title: "io_uring, which opens, connects and makes sockets without calls",
		Reference: "Curing, 2025 (a rootkit that no call filter sees); CVE-2023-2598; most peers let it pass",
		Tiers:     process,
		Tries: []try{
			{Name: "setup", Do: func(*field) error {
				fd, err := raw(unix.SYS_IO_URING_SETUP, 4, address(&[30]uint32{}))
				return closing(int(fd), err)
			}, Want: refused(unix.EPERM)},
			{Name: "enter", Do: func(*field) error {
				_, err := raw(unix.SYS_IO_URING_ENTER, ^uintptr(0))
				return reached(err, unix.EBADF)
			}, Want: refused(unix.EPERM)},
			{Name: "register", Do: func(*field) error {
				_, err := raw(unix.SYS_IO_URING_REGISTER, ^uintptr(0), 2)
				return reached(err, unix.EBADF, unix.EINVAL)
			}, Want: refused(unix.EPERM)},
		},
	}.run(t)
}
