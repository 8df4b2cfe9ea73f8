package escape_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// In this tier what is hidden cannot be told from what is absent; names that
// lead to a grant, and the system's programs, can be seen.
func TestF15HiddenOrAbsent(t *testing.T) {
	differ := func(op func(path string) error) func(f *field) error {
		return func(f *field) error {
			hidden, absent := op(f.Canary), op(f.Outside+"/absent")
			for _, e := range []unix.Errno{unix.ENOENT, unix.EACCES, unix.EROFS, unix.EXDEV, unix.EPERM, unix.EINVAL} {
				if errors.Is(hidden, e) && errors.Is(absent, e) {
					return e
				}
			}
			f.note.WriteString(errText(hidden) + ", " + errText(absent))
			return nil
		}
	}
	no := refused(unix.ENOENT)
	attack{
		ID: "F15", Title: "find out whether a hidden file exists",
		Reference: "Landlock alone leaves stat, access, readlink and O_PATH open (landlock(7))",
		Tiers:     process,
		Tries: []try{
			{Name: "stat", Do: differ(exists), Want: no},
			{Name: "open", Do: differ(func(p string) error { return closing(unix.Open(p, unix.O_RDONLY, 0)) }), Want: no},
			{Name: "open for writing", Do: differ(func(p string) error { return closing(unix.Open(p, unix.O_WRONLY, 0)) }), Want: no},
			{Name: "O_PATH", Do: differ(func(p string) error { return closing(unix.Open(p, unix.O_PATH, 0)) }), Want: no},
			{Name: "access", Do: differ(func(p string) error { return unix.Access(p, unix.F_OK) }), Want: no},
			{Name: "readlink", Do: differ(func(p string) error { _, err := os.Readlink(p); return err }), Want: no},
			{Name: "statfs", Do: differ(func(p string) error { return unix.Statfs(p, &unix.Statfs_t{}) }), Want: no},
			{Name: "rename", Do: differ(func(p string) error { return unix.Rename(p, p+"2") }), Want: no},
			{Name: "inotify", Do: differ(func(p string) error {
				fd, err := unix.InotifyInit()
				if err == nil {
					_, err = unix.InotifyAddWatch(fd, p, unix.IN_ACCESS)
				}
				return err
			}), Want: no},
			{Name: "execve", Do: differ(func(p string) error { return unix.Exec(p, []string{"x"}, nil) }), Want: no},
		},
	}.run(t)
}

func errText(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
