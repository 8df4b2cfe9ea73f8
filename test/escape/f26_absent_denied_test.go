package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing can be mounted on what is not there, so a launch that would leave a
// denied path open is refused, and nothing is made in its place.
func TestF26AbsentDenied(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".git/hooks", ".bashrc", ".mcp.json", ".vscode/settings.json", ".claude"} {
		for _, kind := range []string{"fs.write", "fs.read"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				f := newField(t)
				f.flags = []string{"--deny", kind + ":" + f.work(name)}
				out, err := f.box(t, "/bin/sh", "-c", "mkdir -p "+filepath.Dir(name)+"; echo x > "+name).CombinedOutput()
				if _, e := os.Lstat(f.work(name)); e == nil {
					t.Errorf("it was made: %v %s", err, out)
				}
				if status := exitStatus(err); status != 125 || !strings.Contains(string(out), "does not exist yet") {
					t.Errorf("got exit %d %q, want 125 and why", status, out)
				}
				entries, err := os.ReadDir(f.Work)
				if err != nil || len(entries) != 1 {
					t.Errorf("something was left in the work tree: %v %v", entries, err)
				}
			})
		}
	}
}

// A glob that has no match yet is the same hole.
func TestF26AbsentDeniedByGlob(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.flags = []string{"--deny", "fs.write:" + f.work("**/.git/hooks")}
	out, err := f.box(t, "/bin/sh", "-c", "mkdir -p sub/.git/hooks && echo x > sub/.git/hooks/pre-commit").CombinedOutput()
	if _, e := os.Lstat(f.work("sub/.git/hooks/pre-commit")); e == nil {
		t.Errorf("a denied file was made: %v %s", err, out)
	}
}

// TestF26AbsentDeniedBehindLink: a denied path whose folder is named by a link
// is the same path.
func TestF26AbsentDeniedBehindLink(t *testing.T) {
	t.Parallel()
	f := newField(t)
	if err := os.Symlink(f.Work, f.Dir+"/link"); err != nil {
		t.Fatal(err)
	}
	f.flags = []string{"--deny", "fs.write:" + f.Dir + "/link/.git/hooks"}
	out, err := f.box(t, "/bin/sh", "-c", "mkdir -p .git/hooks && echo x > .git/hooks/pre-commit").CombinedOutput()
	if _, e := os.Lstat(f.work(".git")); e == nil {
		t.Errorf("it was made: %v %s", err, out)
	}
	if status := exitStatus(err); status != 125 || !strings.Contains(string(out), "does not exist yet") {
		t.Errorf("got exit %d %q, want 125 and why", status, out)
	}
}
