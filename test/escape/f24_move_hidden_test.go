package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF24MoveHidden(t *testing.T) {
	no := refused(unix.EBUSY, unix.EACCES, unix.EXDEV)
	move := func(from, read string) func(f *field) error {
		return func(f *field) error {
			if err := unix.Rename(f.work(from), f.work("moved")); err != nil {
				return err
			}
			return f.readFile(f.work(read))
		}
	}
	attack{
		ID: "F24", Title: "move a hidden file to a name that may be read",
		Reference: "deny lists by path: macOS seatbelt profiles, firejail blacklist",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.secret(t, "a/b/secret") },
		Flags:     func(f *field) []string { return []string{"--deny", "fs.read:" + f.work("a/b/secret")} },
		Tries: []try{
			{Name: "the file", Do: move("a/b/secret", "moved"), Want: no},
			{Name: "its parent", Do: move("a/b", "moved/secret"), Want: no},
			{Name: "its grandparent", Do: move("a", "moved/b/secret"), Want: no},
			{Name: "read it", Do: func(f *field) error { return f.readFile(f.work("a/b/secret")) }, Want: refused(unix.EACCES)},
			{Name: "link it", Do: func(f *field) error {
				if err := unix.Link(f.work("a/b/secret"), f.work("moved")); err != nil {
					return err
				}
				return f.readFile(f.work("moved"))
			}, Want: refused(unix.EXDEV, unix.EACCES, unix.EPERM)},
			{Name: "remove it", Do: func(f *field) error { return unix.Unlink(f.work("a/b/secret")) }, Want: no},
		},
	}.run(t)
}
