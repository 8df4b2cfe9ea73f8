package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF23RenameParent(t *testing.T) {
	// What the host finds at the denied path must be what was there.
	attack{
		ID: "F23", Title: "move the directory above a denied file away, and put another in its place",
		Reference: "sandboxes that protect .git/hooks by its path only",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.secret(t, "repo/.git/hooks/pre-commit")
			f.flags = []string{"--deny", "fs.write:" + f.work("repo/.git/hooks")}
		},
		Harm: func(f *field) string {
			if s, err := look(f.work("repo/.git/hooks/pre-commit")); err != nil || s != f.were[f.work("repo/.git/hooks/pre-commit")] {
				return "another hook is there"
			}
			return ""
		},
		Tries: []try{
			{Name: "parent", Do: func(f *field) error {
				if err := os.Rename(f.work("repo/.git"), f.work("repo/.git2")); err != nil {
					return err
				}
				if err := os.MkdirAll(f.work("repo/.git/hooks"), 0o755); err != nil {
					return err
				}
				return os.WriteFile(f.work("repo/.git/hooks/pre-commit"), []byte("changed"), 0o755)
			}, Want: refused(unix.EBUSY, unix.EACCES, unix.EXDEV)},
			{Name: "grandparent", Do: func(f *field) error {
				if err := os.Rename(f.work("repo"), f.work("repo2")); err != nil {
					return err
				}
				if err := os.MkdirAll(f.work("repo/.git/hooks"), 0o755); err != nil {
					return err
				}
				return os.WriteFile(f.work("repo/.git/hooks/pre-commit"), []byte("changed"), 0o755)
			}, Want: refused(unix.EBUSY, unix.EACCES, unix.EXDEV)},
			{Name: "rename, write, rename back", Do: func(f *field) error {
				if err := os.Rename(f.work("repo/.git"), f.work("repo/x")); err != nil {
					return err
				}
				err := os.WriteFile(f.work("repo/x/hooks/pre-commit"), []byte("changed"), 0o755)
				if e := os.Rename(f.work("repo/x"), f.work("repo/.git")); err == nil {
					err = e
				}
				return err
			}, Want: refused(unix.EBUSY, unix.EACCES, unix.EROFS)},
			{Name: "exchange", Do: func(f *field) error {
				if err := os.MkdirAll(f.work("repo/new/hooks"), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(f.work("repo/new/hooks/pre-commit"), []byte("changed"), 0o755); err != nil {
					return err
				}
				return unix.Renameat2(unix.AT_FDCWD, f.work("repo/new"), unix.AT_FDCWD, f.work("repo/.git"), unix.RENAME_EXCHANGE)
			}, Want: refused(unix.EBUSY, unix.EACCES, unix.EXDEV)},
			{Name: "write", Do: func(f *field) error { return overwrite(f.work("repo/.git/hooks/pre-commit")) }, Want: refused(unix.EROFS)},
		},
	}.run(t)
}

// TestF23BesideNarrowerGrant: a grant for reading inside the grant for writing
// is no mount of its own, and nothing may rest on it.
func TestF23BesideNarrowerGrant(t *testing.T) {
	attack{
		ID: "F23", Title: "move the directory above a denied file away, beneath a second grant",
		Reference: "as above",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.secret(t, "repo/.git/hooks/pre-commit")
			f.flags = []string{"--allow", "fs.read:" + f.work("repo"), "--deny", "fs.write:" + f.work("repo/.git/hooks")}
		},
		Tries: []try{{Name: "parent", Sh: "mv repo/.git g && mkdir -p repo/.git/hooks && echo changed > repo/.git/hooks/pre-commit", Want: refused()}},
	}.run(t)
}
