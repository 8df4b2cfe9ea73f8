package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF31SecondPlace(t *testing.T) {
	attack{
		ID: "F31", Title: "reach a masked file where its tree is shown a second time",
		Reference: "masked paths of container runtimes and bind mounts: CVE-2023-27561 (runc)",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.secret(t, "a/b/secret") },
		Flags: func(f *field) []string {
			return []string{"--deny", "fs.read:" + f.work("a/b/secret"), "-v", f.Work + ":/again:ro", "-v", f.work("a/b") + ":/deep:rw",
				"--allow", "fs.read:" + f.work("a"), "--allow", "fs.write:" + f.work("a/b")}
		},
		Tries: []try{
			{Name: "its own place", Do: func(f *field) error { return f.readFile(f.work("a/b/secret")) }, Want: refused(unix.EACCES)},
			{Name: "another place", Do: func(f *field) error { return f.readFile("/again/a/b/secret") }, NoControl: "it is made by the launch", Want: refused(unix.EACCES, unix.ENOENT)},
			{Name: "a part of it", Do: func(f *field) error { return f.readFile("/deep/secret") }, NoControl: "it is made by the launch", Want: refused(unix.EACCES, unix.ENOENT)},
			{Name: "write in another place", Do: func(*field) error { return overwrite("/deep/secret") }, NoControl: "it is made by the launch", Want: refused()},
		},
	}.run(t)
}
