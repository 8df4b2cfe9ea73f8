package escape_test

import (
	"os"
	"strings"
	"testing"
)

func TestF40MissingSource(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]func(f *field) []string{
		"absent":          func(f *field) []string { return []string{"--allow", "fs.read:" + f.work("absent")} },
		"dangling link":   func(f *field) []string { return []string{"--allow", "fs.read:" + f.work("dangling")} },
		"link to itself":  func(f *field) []string { return []string{"--allow", "fs.read:" + f.work("loop")} },
		"absent volume":   func(f *field) []string { return []string{"-v", f.work("absent") + ":/data:ro"} },
		"beneath a file":  func(f *field) []string { return []string{"--allow", "fs.read:" + f.work("file/x")} },
		"dangling volume": func(f *field) []string { return []string{"-v", f.work("dangling") + ":/data:rw"} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			for link, target := range map[string]string{"dangling": "nowhere", "loop": "loop"} {
				if err := os.Symlink(target, f.work(link)); err != nil {
					t.Fatal(err)
				}
			}
			f.flags = flags(f)
			out, err := f.box(t, "/bin/sh", "-c", "echo it runs").CombinedOutput()
			if status := exitStatus(err); status != 125 || strings.Contains(string(out), "it runs") {
				t.Errorf("got exit %d %q, want 125", status, out)
			}
			if lines := strings.Count(string(out), "\n"); lines != 1 || !strings.HasPrefix(string(out), "ambit: ") {
				t.Errorf("not one clear line: %q", out)
			}
			if _, err := os.Lstat(f.work("nowhere")); err == nil {
				t.Error("the launch made what was missing")
			}
			f.nothingLeft(t)
		})
	}
}
