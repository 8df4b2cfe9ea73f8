package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF03RenameThroughLink(t *testing.T) {
	attack{
		ID: "F3", Title: "an atomic save whose directory is a link to the outside",
		Reference: "how editors save; CVE-2018-15664 (docker cp)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			if err := os.Symlink(f.Outside, f.work("dir")); err != nil {
				t.Fatal(err)
			}
		},
		Tries: []try{
			{Name: "both names behind the link", Do: func(f *field) error {
				if err := os.WriteFile(f.work("dir/.save"), []byte("changed\n"), 0o644); err != nil {
					return err
				}
				return os.Rename(f.work("dir/.save"), f.work("dir/canary"))
			}, Want: refused(unix.ENOENT, unix.EACCES, unix.EROFS)},
			{Name: "from the work tree", Do: func(f *field) error { return os.Rename(f.work("file"), f.work("dir/canary")) },
				Want: refused(unix.ENOENT, unix.EACCES, unix.EXDEV)},
		},
	}.run(t)
}
