package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// strangeNames are names that a file may have.
var strangeNames = []string{
	"with space", " leading", "trailing ", "new\nline", "tab\ttab", "not\xffutf\xfe8", "\x1b[31mred", "a\\backslash", `\x41`,
	"[brackets]", "[", "star*", "quest?ion", "'quote'", `"double"`, "~", "-dash", "semi;colon", "col:on", "ünïcode", "\u202egnp.exe",
}

// Whatever a path is called, it can be granted alone, read and written, and
// nothing beside it.
func TestStrangePaths(t *testing.T) {
	for _, name := range strangeNames {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			dir := filepath.Join(b.dir, "in "+name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			path, beside := filepath.Join(dir, name), filepath.Join(dir, name+"2")
			for _, p := range []string{path, beside} {
				if err := os.WriteFile(p, []byte("content"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			allow := "fs.write:" + escaped(path)
			r := b.run("run", "--allow", allow, "--", "cat", path)
			r.want(t, 0, "content")
			b.run("run", "--allow", allow, "--", "sh", "-c", `printf changed > "$1"`, "sh", path).want(t, 0)
			if got, _ := os.ReadFile(path); string(got) != "changed" {
				t.Errorf("the file has %q", got)
			}
			b.run("run", "--allow", allow, "--", "cat", beside).want(t, 1, "No such file")
			b.run("why", path).want(t, 0, "fs.read:")
			r = b.run("grants", "add", allow)
			r.want(t, 0)
			if strings.ContainsAny(strings.TrimSuffix(r.out, "\n"), "\n\x1b\u202e") {
				t.Errorf("printed raw: %q", r.out)
			}
			b.run("run", "--", "cat", path).want(t, 0, "changed")
		})
	}
}

// escaped writes a path as a scope that means it literally.
func escaped(path string) string {
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		case strings.IndexByte(`*?[]\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// A path of the longest kind that the kernel takes can be granted; a longer one
// is refused in words.
func TestLongPath(t *testing.T) {
	b := newBench(t)
	dir := b.dir
	t.Chdir(dir) // and back at the end
	const longest = 4095
	for len(dir) < longest-260 {
		name := strings.Repeat("d", 200)
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chdir(name); err != nil { //nolint:usetesting // a path this long cannot be walked at once
			t.Fatal(err)
		}
		dir = filepath.Join(dir, name)
	}
	name := strings.Repeat("f", min(longest-len(dir)-1, 255))
	if err := os.WriteFile(name, []byte("deep"), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	t.Logf("a path of %d bytes", len(path))
	b.run("run", "--allow", "fs.read:"+path, "--", "cat", path).want(t, 0, "deep")
	b.run("run", "--allow", "fs.read:"+path+"/"+strings.Repeat("x", 300), "--", "true").want(t, 125)
	b.run("run", "--allow", "fs.read:/"+strings.Repeat("y/", 9000), "--", "true").want(t, 125)
}

// What was granted is a place, settled when it was granted. A link to another
// tree that is put in its way while programs are started stops the launch, or
// comes too late; it never shows the other tree.
func TestSwappedLink(t *testing.T) {
	for _, tc := range []struct{ name, grant string }{
		{"the granted folder", "fs.read:good"},
		{"a folder above", "fs.write:good/file"},
		{"a glob beneath", "fs.read:good/*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.write("good/file", "good")
			b.write("evil/file", "evil")
			b.run("grants", "add", tc.grant).want(t, 0)
			stop, done := make(chan struct{}), make(chan struct{})
			var swaps atomic.Int64
			go func() {
				defer close(done)
				swap(b.dir, stop, &swaps)
			}()
			defer func() { close(stop); <-done }()
			shown := 0
			for range 60 {
				r := b.run("run", "--", "cat", filepath.Join(b.dir, "good/file"))
				if strings.Contains(r.out, "evil") {
					t.Fatalf("the other tree was shown: %+v", r)
				}
				if r.out == "good" {
					shown++
				}
			}
			t.Logf("%d swaps, 60 runs, %d of them showed the file", swaps.Load(), shown)
			if swaps.Load() < 60 {
				t.Errorf("only %d swaps happened", swaps.Load())
			}
		})
	}
}

// swap puts a link to the other tree in the place of the good one, and back.
func swap(dir string, stop <-chan struct{}, swaps *atomic.Int64) {
	good, aside := filepath.Join(dir, "good"), filepath.Join(dir, "aside")
	for {
		select {
		case <-stop:
			return
		default:
		}
		if os.Rename(good, aside) != nil || os.Symlink("evil", good) != nil {
			return
		}
		swaps.Add(1)
		if os.Remove(good) != nil || os.Rename(aside, good) != nil {
			return
		}
	}
}
