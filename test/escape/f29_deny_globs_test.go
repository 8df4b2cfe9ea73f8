package escape_test

import (
	"strings"
	"testing"
)

// A denial is meant for the object, however it is written and however the
// object is asked for.
func TestF29DenyGlobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, deny string
		denied     bool // whether Work/a/b/secret.key is meant
	}{
		{"literal", "a/b/secret.key", true},
		{"stars", "**/*.key", true},
		{"stars above", "**/b", true},
		{"star", "a/*/secret.key", true},
		{"brackets", "a/b/secret.[jk]ey", true},
		{"question mark", "a/b/secre?.key", true},
		{"trailing slash", "a/b/", true},
		{"doubled slash", "a//b//secret.key", true},
		{"dot", "a/./b/../b/secret.key", true},
		{"star is not two levels", "*/secret.key", false},
		{"other case", "A/B/SECRET.KEY*", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newField(t)
			f.secret(t, "a/b/secret.key")
			f.flags = []string{"--deny", "fs.read:" + f.Work + "/" + c.deny}
			for _, spelling := range []string{"a/b/secret.key", "a//b/secret.key", "a/./b/secret.key", "a/../a/b/secret.key", f.work("a/b/secret.key"), "/proc/self/cwd/a/b/secret.key"} {
				out, err := f.box(t, "/bin/cat", spelling).CombinedOutput()
				if read := strings.Contains(string(out), f.token); read == c.denied {
					t.Errorf("cat %s: %v %s", spelling, err, out)
				}
			}
		})
	}
}
