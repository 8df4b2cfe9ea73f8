package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF25ReplaceReadOnly(t *testing.T) {
	busy := refused(unix.EBUSY, unix.EXDEV)
	attack{
		ID: "F25", Title: "replace a read-only file inside a writable directory",
		Reference: "write protection by open(2) alone; agents that guard their own settings file",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.put(t, f.work("config"), "config\n"); f.guard(t, f.work("config")) },
		Flags:     func(f *field) []string { return []string{"--deny", "fs.write:" + f.work("config")} },
		Tries: []try{
			{Name: "rename over", Do: func(f *field) error { return unix.Rename(f.work("file"), f.work("config")) }, Want: busy},
			{Name: "unlink", Do: func(f *field) error { return unix.Unlink(f.work("config")) }, Want: busy},
			{Name: "exchange", Do: func(f *field) error {
				return unix.Renameat2(unix.AT_FDCWD, f.work("file"), unix.AT_FDCWD, f.work("config"), unix.RENAME_EXCHANGE)
			}, Want: busy},
			{Name: "rename away", Do: func(f *field) error { return unix.Rename(f.work("config"), f.work("x")) }, Want: busy},
			{Name: "write", Do: func(f *field) error { return overwrite(f.work("config")) }, Want: refused(unix.EROFS)},
			{Name: "read", Do: func(f *field) error { return f.readFile(f.work("config")) }, Want: allowed("only writing is denied")},
		},
	}.run(t)
}
