package microvm

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// hostile is a collector of a writable grant, as a guest meets it that lies.
func hostile(t *testing.T, kept ...place) (c *collector, dir, outside string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, outside = filepath.Join(top, "grant"), filepath.Join(top, "outside")
	for _, d := range []string{dir, outside, dir + "/closed"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{outside + "/file", dir + "/closed/file", dir + "/mine"} {
		if err := os.WriteFile(f, []byte("host\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, dir+"/out"); err != nil {
		t.Fatal(err)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	tr, err := openTree(0, enforce.Entry{Source: dir, Path: dir, Dir: true, Write: true, Dev: st.Dev, Ino: st.Ino}, kept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return &collector{tally: newTally(1 << 20), t: tr}, dir, outside
}

// TestHostile: a guest that lies writes nothing outside of the grant, nor where the
// plan closes it, nor more than it may.
func TestHostile(t *testing.T) {
	file := func(path string) channel.Node {
		return channel.Node{Path: path, Kind: channel.NodeFile, Mode: 0o6777, Size: 5}
	}
	c, dir, outside := hostile(t, place{path: "closed", dir: true})
	take := func(n channel.Node) error { return c.take(n, strings.NewReader("guest")) }
	// Through a link that the host has, and through one that the guest makes.
	if err := errors.Join(take(file("out/file")), take(file("out/new")),
		take(channel.Node{Path: "up", Kind: channel.NodeLink, Target: outside}), take(file("up/file")), take(channel.Node{Path: "up/dir", Kind: channel.NodeDir})); err != nil {
		t.Errorf("it ends: %v", err)
	}
	// In place of a link: the link is replaced, if it was copied; not followed.
	if err := take(file("out")); err != nil {
		t.Error(err)
	}
	// Where the plan closes it.
	if err := errors.Join(take(file("closed/file")), take(channel.Node{Path: "closed", Kind: channel.NodeLink, Target: "/"})); err != nil {
		t.Error(err)
	}
	// What nobody copied is not the guest's to change or to remove.
	if err := take(file("mine")); err != nil {
		t.Error(err)
	}
	c.remove()
	for name, want := range map[string]string{outside + "/file": "host\n", dir + "/closed/file": "host\n", dir + "/mine": "host\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for _, name := range []string{outside + "/new", outside + "/dir"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made", name)
		}
	}
	if err := c.err(); err == nil || !strings.Contains(err.Error(), "mine") {
		t.Errorf("nothing is said: %v", err)
	}
	// A setuid bit does not come back.
	if err := take(file("new")); err != nil {
		t.Error(err)
	}
	if fi, err := os.Stat(dir + "/new"); err != nil || fi.Mode() != 0o777 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	for name, n := range map[string]channel.Node{
		"twice":                   file("new"),
		"more than there may be":  {Path: "big", Kind: channel.NodeFile, Size: 2 << 20},
		"left alone, never there": {Path: "never", Kind: channel.NodeFile, Same: true},
		"a file without content":  {Path: "x", Kind: channel.NodeClosed},
	} {
		if err := c.take(n, io.LimitReader(strings.NewReader(""), 0)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestMany: a guest cannot name files without end.
func TestMany(t *testing.T) {
	c, _, _ := hostile(t)
	c.objects = mostObjects
	if err := c.take(channel.Node{Path: "x", Kind: channel.NodeDir}, nil); err == nil {
		t.Error("one more was taken")
	}
}

// TestAboveClosed: what leads to something closed stays a folder on the host, also
// where nothing is there that is closed. A link in its place would have what the plan
// closes lie in what it opens.
func TestAboveClosed(t *testing.T) {
	c, dir, _ := hostile(t, place{path: "repo/hooks", dir: true}, place{path: "new/hooks", dir: true})
	if err := os.Mkdir(dir+"/repo", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.remember("repo", ""); err != nil { // it was copied
		t.Fatal(err)
	}
	nodes := []channel.Node{
		{Path: "g", Kind: channel.NodeDir, Mode: 0o755},
		{Path: "repo", Kind: channel.NodeLink, Target: "g"},
		{Path: "new", Kind: channel.NodeLink, Target: "g"},
	}
	for _, kind := range []channel.NodeKind{channel.NodeLink, channel.NodeFile} {
		c.seen = map[string]bool{}
		for _, n := range nodes {
			if n.Kind == channel.NodeLink {
				n.Kind = kind
			}
			if err := c.take(n, strings.NewReader("")); err != nil {
				t.Fatal(err)
			}
		}
	}
	delete(c.seen, "repo")
	c.remove()
	if fi, err := os.Lstat(dir + "/repo"); err != nil || !fi.IsDir() {
		t.Errorf("what leads to something closed is %v %v", fi, err)
	}
	if _, err := os.Lstat(dir + "/new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what would lead to something closed was made: %v", err)
	}
	if err := c.err(); err == nil || !strings.Contains(err.Error(), "repo") {
		t.Errorf("nothing is said: %v", err)
	}
}
