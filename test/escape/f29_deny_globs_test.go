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

// TestF29InVolume: a denial by glob holds where a volume shows its matches.
func TestF29InVolume(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.secret(t, "a/b/secret.key")
	f.base = func() []string { return nil }
	f.flags = []string{"-v", f.Work + ":/shown:ro", "--deny", "fs.read:" + f.Work + "/**/*.key"}
	out, err := f.box(t, "/bin/sh", "-c", "cat /shown/file; cat /shown/a/b/secret.key").CombinedOutput()
	if strings.Contains(string(out), f.token) {
		t.Errorf("the denied file was read: %v %s", err, out)
	}
	if !strings.Contains(string(out), "work") {
		t.Errorf("what is not denied is not there, which proves nothing: %v %s", err, out)
	}
}

// TestF29TwoDenials: of two denials of one path neither takes the other away.
func TestF29TwoDenials(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]string{{"fs.read", "fs.write"}, {"fs.write", "fs.read"}, {"fs.read", "fs.read"}} {
		for _, paths := range [][]string{{"a/secret", "a/secret"}, {"a", "a/secret"}, {"a/secret", "a"}} {
			f := newField(t)
			f.secret(t, "a/secret")
			f.flags = []string{"--deny", kinds[0] + ":" + f.work(paths[0]), "--deny", kinds[1] + ":" + f.work(paths[1])}
			out, err := f.box(t, "/bin/sh", "-c", "cat file; echo x >> a/secret; cat a/secret").CombinedOutput()
			// A folder that may not be changed hides nothing by itself.
			hidden := kinds[0] == "fs.read" && strings.HasPrefix("a/secret", paths[0]) || kinds[1] == "fs.read" && strings.HasPrefix("a/secret", paths[1])
			if hidden && strings.Contains(string(out), f.token) {
				t.Errorf("%s %s: the denied file was read: %v %s", kinds, paths, err, out)
			}
			if harm := f.harm(); harm != "" || !strings.Contains(string(out), "work") {
				t.Errorf("%s %s: %s %v %s", kinds, paths, harm, err, out)
			}
		}
	}
}
