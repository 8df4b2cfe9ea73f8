package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF01Symlink(t *testing.T) {
	attack{
		ID: "F1", Title: "write through a symbolic link that leads out of the work tree",
		Reference: "CVE-2024-1753 (podman build), CVE-2025-53109 (MCP file server)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			for name, target := range map[string]string{"dir": f.Outside, "direct": f.Canary, "home": f.Home} {
				if err := os.Symlink(target, f.work(name)); err != nil {
					t.Fatal(err)
				}
			}
		},
		Tries: []try{
			{Name: "planted, to a directory", Do: func(f *field) error { return overwrite(f.work("dir/canary")) }, Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "planted, to a file", Do: func(f *field) error { return overwrite(f.work("direct")) }, Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "planted, read", Do: func(f *field) error { return f.readFile(f.work("dir/canary")) }, Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "planted, to the home", Do: func(f *field) error { return f.readFile(f.work("home/.ssh/id")) }, Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "made inside", Do: func(f *field) error {
				if err := os.Symlink("../outside", f.work("new")); err != nil {
					return err
				}
				return overwrite(f.work("new/canary"))
			}, Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "create behind it", Do: func(f *field) error { return os.WriteFile(f.work("dir/new"), nil, 0o644) }, Want: refused(unix.ENOENT, unix.EACCES, unix.EROFS)},
		},
	}.run(t)
}
