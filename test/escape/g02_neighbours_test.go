package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestG02Neighbours(t *testing.T) {
	attack{
		ID: "G2", Title: "from a granted file to its neighbours, parents and other rights",
		Reference: "grants of a directory where a file was meant",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			for _, name := range []string{"d/one", "d/two", "d/sub/three", "e/four"} {
				f.put(t, f.Outside+"/"+name, f.token)
			}
			f.put(t, f.Outside+"/d/given", "given")
			f.guard(t, f.Outside+"/d/given")
		},
		Flags: func(f *field) []string { return []string{"--allow", "fs.read:" + f.Outside + "/d/given"} },
		Tries: []try{
			{Name: "the file", Do: func(f *field) error { return f.readFile(f.Outside + "/d/given") }, Want: allowed("it is granted")},
			{Name: "neighbours", Do: func(f *field) error {
				return f.each([]string{f.Outside + "/d/one", f.Outside + "/d/sub/three", f.Outside + "/e/four", f.Outside + "/d/given/../two", f.Canary}, f.readFile)
			}, Want: refused(unix.ENOENT, unix.ENOTDIR)},
			{Name: "list", Do: func(f *field) error {
				entries, err := os.ReadDir(f.Outside + "/d")
				if err != nil {
					return err
				}
				for _, e := range entries {
					if e.Name() != "given" {
						return nil
					}
				}
				return unix.ENOENT
			}, Want: refused(unix.ENOENT)},
			{Name: "write it", Do: func(f *field) error { return overwrite(f.Outside + "/d/given") }, Want: refused(unix.EROFS)},
			{Name: "replace it", NoControl: "as any file", Do: func(f *field) error {
				if err := os.WriteFile(f.Outside+"/d/x", nil, 0o644); err != nil {
					return err
				}
				return os.Rename(f.Outside+"/d/x", f.Outside+"/d/given")
			}, Want: refused(unix.EROFS, unix.EBUSY, unix.EACCES)},
			{Name: "execute it", NoControl: "it is no program", Do: func(f *field) error { return execute(f.Outside + "/d/given") }, Want: refused(unix.EACCES)},
		},
	}.run(t)
}
