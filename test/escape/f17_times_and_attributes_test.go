package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF17TimesAndAttributes(t *testing.T) {
	past := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	hidden, readOnly := refused(unix.ENOENT), refused(unix.EROFS, unix.EACCES)
	attack{
		ID: "F17", Title: "change times and attributes of what may be read or not even that",
		Reference: "Landlock alone lets utimensat and setxattr pass (landlock(7))",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			if err := unix.Setxattr(f.read("file"), "user.was", []byte("1"), 0); err != nil {
				t.Skipf("requires: extended attributes in %s", f.Dir)
			}
			f.guard(t, f.read("file"))
		},
		Tries: []try{
			{Name: "utimensat hidden", Do: func(f *field) error { return unix.UtimesNanoAt(unix.AT_FDCWD, f.Canary, past, 0) }, Want: hidden},
			{Name: "setxattr hidden", Do: func(f *field) error { return unix.Setxattr(f.Canary, "user.x", []byte("x"), 0) }, Want: hidden},
			{Name: "utimensat", Do: func(f *field) error { return unix.UtimesNanoAt(unix.AT_FDCWD, f.read("file"), past, 0) }, Want: readOnly},
			{Name: "futimens", Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				_, err = raw(unix.SYS_UTIMENSAT, uintptr(fd), 0, address(&[2]unix.Timespec{{Sec: 1}, {Sec: 1}}), 0)
				return err
			}, Want: readOnly},
			{Name: "setxattr", Do: func(f *field) error { return unix.Setxattr(f.read("file"), "user.x", []byte("x"), 0) }, Want: readOnly},
			{Name: "fsetxattr", Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				return unix.Fsetxattr(fd, "user.x", []byte("x"), 0)
			}, Want: readOnly},
			{Name: "removexattr", Do: func(f *field) error { return unix.Removexattr(f.read("file"), "user.was") }, Want: readOnly},
			{Name: "file_setattr", Do: func(f *field) error { // FS_XFLAG_NODUMP
				_, err := raw(469, ^uintptr(99), text(f.read("file")), address(&[6]uint32{0: 0x80}), 24, 0)
				return reached(err, unix.ENOSYS, unix.EOPNOTSUPP)
			}, Want: readOnly},
			{Name: "FS_IOC_SETFLAGS", Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				flags := uint32(0x40) // FS_NODUMP_FL
				_, err = raw(unix.SYS_IOCTL, uintptr(fd), 0x40086602, address(&flags))
				return reached(err, unix.ENOTTY, unix.EOPNOTSUPP)
			}, Want: refused(unix.EROFS, unix.EACCES, unix.EPERM)},
		},
	}.run(t)
}
