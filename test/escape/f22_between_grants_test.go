package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF22BetweenGrants(t *testing.T) {
	no := refused(unix.EXDEV, unix.EROFS, unix.EPERM, unix.EACCES)
	attack{
		ID: "F22", Title: "move or link files between grants of different rights",
		Reference: "Landlock's LANDLOCK_ACCESS_FS_REFER and its self-tests",
		Tiers:     process,
		Tries: []try{
			{Name: "rename out of the read-only grant", Do: func(f *field) error { return unix.Rename(f.read("file"), f.work("x")) }, Want: no},
			{Name: "rename into it", Do: func(f *field) error { return unix.Rename(f.work("file"), f.read("file")) }, Want: no},
			{Name: "link into it", Do: func(f *field) error { return unix.Link(f.work("file"), f.read("x")) }, Want: no},
			{Name: "link out of it", Do: func(f *field) error { return unix.Link(f.read("file"), f.work("x")) }, Want: no},
			{Name: "exchange", Do: func(f *field) error {
				return unix.Renameat2(unix.AT_FDCWD, f.work("file"), unix.AT_FDCWD, f.read("file"), unix.RENAME_EXCHANGE)
			}, Want: no},
			{Name: "remove in it", Do: func(f *field) error { return unix.Unlink(f.read("file")) }, Want: no},
			{Name: "rename the grant itself", Do: func(f *field) error { return unix.Rename(f.Read, f.Read+"2") }, Want: refused(unix.EBUSY, unix.EROFS, unix.EXDEV)},
		},
	}.run(t)
}
