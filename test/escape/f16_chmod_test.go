package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF16Chmod(t *testing.T) {
	hidden, readOnly := refused(unix.ENOENT), refused(unix.EROFS, unix.EACCES)
	open := func(f *field, flags int, use func(fd int) error) error {
		fd, err := unix.Open(f.read("file"), flags, 0)
		if err != nil {
			return err
		}
		return use(fd)
	}
	attack{
		ID: "F16", Title: "change mode or owner of what may be read or not even that",
		Reference: "Landlock alone lets chmod and chown pass (landlock(7))",
		Tiers:     process,
		Tries: []try{
			{Name: "chmod hidden", Do: func(f *field) error { return unix.Chmod(f.Canary, 0o666) }, Want: hidden},
			{Name: "chown hidden", Do: func(f *field) error { return unix.Chown(f.Canary, os.Getuid(), os.Getgid()) }, Want: hidden},
			{Name: "chmod", Do: func(f *field) error { return unix.Chmod(f.read("file"), 0o666) }, Want: readOnly},
			{Name: "chown", Do: func(f *field) error { return unix.Chown(f.read("file"), os.Getuid(), os.Getgid()) }, Want: readOnly},
			{Name: "lchown", Do: func(f *field) error { return unix.Lchown(f.read("file"), os.Getuid(), os.Getgid()) }, Want: readOnly},
			{Name: "fchmod", Do: func(f *field) error {
				return open(f, unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, 0o666) })
			}, Want: readOnly},
			{Name: "fchown", Do: func(f *field) error {
				return open(f, unix.O_RDONLY, func(fd int) error { return unix.Fchown(fd, os.Getuid(), os.Getgid()) })
			}, Want: readOnly},
			{Name: "fchmodat2", Do: func(f *field) error {
				return open(f, unix.O_PATH, func(fd int) error {
					_, err := raw(unix.SYS_FCHMODAT2, uintptr(fd), text(""), 0o666, unix.AT_EMPTY_PATH)
					return err
				})
			}, Want: readOnly},
			{Name: "chmod by /proc/self/fd", Do: func(f *field) error {
				return open(f, unix.O_PATH, func(fd int) error { return unix.Chmod("/proc/self/fd/"+itoa(fd), 0o666) })
			}, Want: readOnly},
			// With the mode that it has: should it succeed, nothing changes.
			{Name: "device of the view", NoControl: "root could, nobody else", Do: func(*field) error { return unix.Chmod("/dev/full", 0o666) }, Want: refused(unix.EROFS)},
			{Name: "times of a device", NoControl: "root could, nobody else", Do: func(*field) error {
				return unix.UtimesNanoAt(unix.AT_FDCWD, "/dev/zero", []unix.Timespec{{Sec: 1 << 30}, {Sec: 1 << 30}}, 0)
			}, Want: refused(unix.EROFS)},
			{Name: "standard input, which is /dev/null", NoControl: "root could, nobody else", Do: func(*field) error { return unix.Fchmod(0, 0o666) }, Want: refused(unix.EROFS)},
			{Name: "write to a device", Do: func(*field) error { return overwrite("/dev/null") }, Want: allowed("devices work")},
		},
	}.run(t)
}
