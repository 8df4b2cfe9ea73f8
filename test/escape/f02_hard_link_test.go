package escape_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF02HardLink(t *testing.T) {
	write := func(f *field, path string) error {
		if err := os.Link(path, f.work("hard")); err != nil {
			return err
		}
		return overwrite(f.work("hard"))
	}
	attack{
		ID: "F2", Title: "make a hard link in the work tree to a file that may not be written",
		Reference: "CVE-2021-21284 and others of container runtimes; protected_hardlinks in proc_sys_fs(5)",
		Tiers:     process,
		Tries: []try{
			{Name: "hidden file", Do: func(f *field) error { return write(f, f.Canary) }, Want: refused(unix.ENOENT, unix.EXDEV, unix.EPERM)},
			{Name: "read-only file", Do: func(f *field) error { return write(f, f.read("file")) }, Want: refused(unix.EXDEV, unix.EPERM)},
			{Name: "by descriptor", Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				if err := unix.Linkat(fd, "", unix.AT_FDCWD, f.work("hard"), unix.AT_EMPTY_PATH); err != nil {
					// Without CAP_DAC_READ_SEARCH this is the way (open(2)).
					self := filepath.Join("/proc/self/fd", itoa(fd))
					if err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, f.work("hard"), unix.AT_SYMLINK_FOLLOW); err != nil {
						return err
					}
				}
				return overwrite(f.work("hard"))
			}, Want: refused(unix.EXDEV, unix.EPERM)},
		},
	}.run(t)
}
