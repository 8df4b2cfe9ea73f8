package escape_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// Each name is granted exactly; next to it lies what a careless reader of lists
// and patterns would take it for.
func TestF13OddNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, neighbour string }{
		{"a:b", "a"}, {"a,b", "a"}, {`a\b`, "ab"}, {"a b", "a"}, {"a\nb", "a"}, {"a*", "axx"}, {"a?", "ax"},
		{"a[bc]", "ab"}, {"a{b,c}", "ab"}, {"**", "deep"}, {"-rf", "rf"}, {"a:ro", "a"}, {"\xff\xfe", "x"}, {"~", "home"}, {"a%20b", "a b"}, {"$HOME", "x"}, {"...", "x"},
	} {
		t.Run(strings.ToValidUTF8(c.name, "?"), func(t *testing.T) {
			f := newField(t)
			granted, other := filepath.Join(f.Dir, "odd", c.name), filepath.Join(f.Dir, "odd", c.neighbour)
			f.put(t, granted+"/file", "granted")
			f.put(t, other+"/file", f.token)
			escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(granted)
			f.flags = []string{"--allow", "fs.read:" + escape}
			out, err := f.box(t, "/bin/cat", granted+"/file").CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "granted") {
				t.Errorf("what was granted is not there: %v %q", err, out)
			}
			out, err = f.box(t, "/bin/cat", other+"/file").CombinedOutput()
			if err == nil || strings.Contains(string(out), f.token) {
				t.Errorf("the neighbour is there: %q", out)
			}
		})
	}
}

func TestF13VolumeWithColons(t *testing.T) {
	t.Parallel()
	f := newField(t)
	source := filepath.Join(f.Dir, "a:ro:/b:rw")
	f.put(t, source+"/file", "shown")
	f.flags = []string{"-v", source + ":/data:ro"}
	out, err := f.box(t, "/bin/sh", "-c", "cat /data/file; : > /data/new").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "shown") || !strings.Contains(string(out), "Read-only") {
		t.Errorf("got %v %q", err, out)
	}
}
