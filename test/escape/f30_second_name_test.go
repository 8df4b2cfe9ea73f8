package escape_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF30SecondName(t *testing.T) {
	attack{
		ID: "F30", Title: "reach a denied file by another name",
		Reference: "deny lists by path; CVE-2024-32002 (git, links among case-insensitive names)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.secret(t, "a/secret")
			for name, target := range map[string]string{"one": "two", "two": "three", "three": "a/secret"} {
				if err := os.Symlink(target, f.work(name)); err != nil {
					t.Fatal(err)
				}
			}
		},
		Flags: func(f *field) []string { return []string{"--deny", "fs.read:" + f.work("a/secret")} },
		Tries: []try{
			{Name: "chained links", Do: func(f *field) error { return f.readFile(f.work("one")) }, Want: refused(unix.EACCES)},
			{Name: "rename onto it", Do: func(f *field) error { return unix.Rename(f.work("file"), f.work("a/secret")) }, Want: refused(unix.EBUSY, unix.EXDEV)},
			{Name: "exchange with it", Do: func(f *field) error {
				if err := unix.Renameat2(unix.AT_FDCWD, f.work("file"), unix.AT_FDCWD, f.work("a/secret"), unix.RENAME_EXCHANGE); err != nil {
					return err
				}
				return f.readFile(f.work("file"))
			}, Want: refused(unix.EBUSY, unix.EXDEV)},
		},
	}.run(t)
}

// A mask hides a name. A file with a second name cannot be hidden by it, so
// such a launch must be refused.
func TestF30HardLink(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fs.read", "fs.write"} {
		t.Run(kind, func(t *testing.T) {
			f := newField(t)
			f.put(t, f.work("a/secret"), f.token+"\n")
			if err := os.Link(f.work("a/secret"), f.work("second")); err != nil {
				t.Fatal(err)
			}
			f.guard(t, f.work("second"))
			f.flags = []string{"--deny", kind + ":" + f.work("a/secret")}
			out, err := f.box(t, "/bin/sh", "-c", "cat second; echo changed > second").CombinedOutput()
			if kind == "fs.read" && strings.Contains(string(out), f.token) {
				t.Errorf("the denied file was read by its second name: %v %s", err, out)
			}
			if harm := f.harm(); harm != "" {
				t.Errorf("the denied file was changed by its second name: %v %s", err, out)
			}
		})
	}
}
