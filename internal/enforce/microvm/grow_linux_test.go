package microvm

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// growing is an append-only folder with a file, a folder and a link, of which the guest
// has a copy.
func growing(t *testing.T, change func(*enforce.Entry)) (g func() *grower, dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.WriteFile(dir+"/kept", []byte("past\n"), 0o644), os.Mkdir(dir+"/sub", 0o755), os.Symlink("sub", dir+"/link"),
		os.WriteFile(dir+"/fixed", []byte("fixed\n"), 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	e := enforce.Entry{Op: enforce.OpAppend, Path: "/store", Source: dir, Dir: true, Write: true, Read: true, Dev: st.Dev, Ino: st.Ino}
	if change != nil {
		change(&e)
	}
	tr, err := openTree(0, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	for _, rel := range []string{".", "kept", "sub", "link", "fixed"} {
		fi, err := tr.root.Lstat(rel)
		if err != nil {
			t.Fatal(err)
		}
		_, o := node(rel, fi)
		if rel == "link" {
			o.target = "sub"
		}
		tr.has[rel] = o
	}
	for rel, text := range map[string]string{"kept": "past\n", "fixed": "fixed\n"} {
		h := newHashed(strings.NewReader(text))
		if _, err := io.Copy(io.Discard, h); err != nil {
			t.Fatal(err)
		}
		tr.taken[rel] = h.taken()
	}
	return func() *grower { return &grower{tally: newTally(1 << 20), t: tr} }, dir
}

func told(t *testing.T, g *grower, kind channel.NodeKind, rel, text string) {
	t.Helper()
	n := channel.Node{Path: rel, Kind: kind, Mode: 0o4755, Size: int64(len(text))}
	if kind == channel.NodeLink {
		n.Target, n.Size, text = text, 0, ""
	}
	if err := g.take(n, strings.NewReader(text)); err != nil {
		t.Errorf("%s: %v", rel, err)
	}
}

// TestGrow: what was added is there, once, after what others added meanwhile; of all
// else that a guest can say nothing is taken, and it is said.
func TestGrow(t *testing.T) {
	begin, dir := growing(t, nil)
	g := begin()
	told(t, g, channel.NodeFile, "kept", "past\nmore\n")
	told(t, g, channel.NodeDir, "new", "")
	told(t, g, channel.NodeFile, "new/file", "one\n")
	told(t, g, channel.NodeFile, "empty", "")
	if g.refused != nil || g.failed != nil {
		t.Errorf("%q %q", g.refused, g.failed)
	}
	others, err := os.OpenFile(dir+"/kept", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := others.WriteString("theirs\n"); err != nil {
		t.Fatal(err)
	}
	if err := others.Close(); err != nil {
		t.Fatal(err)
	}
	g = begin()
	told(t, g, channel.NodeFile, "kept", "past\nmore\nend\n")
	told(t, g, channel.NodeFile, "new/file", "one\ntwo\n")
	for name, want := range map[string]string{"kept": "past\nmore\ntheirs\nend\n", "new/file": "one\ntwo\n", "empty": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if st, err := os.Stat(dir + "/new/file"); err != nil || st.Mode() != 0o755 {
		t.Errorf("a new file has the mode %v, %v", st.Mode(), err)
	}
}

func TestGrowRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		kind      channel.NodeKind
		rel, text string
	}{
		"another beginning":        {channel.NodeFile, "kept", "PAST\nmore\n"},
		"one byte of it":           {channel.NodeFile, "kept", "past!more\n"},
		"less":                     {channel.NodeFile, "kept", "past"},
		"nothing":                  {channel.NodeFile, "kept", ""},
		"a link in its place":      {channel.NodeLink, "kept", "/etc/passwd"},
		"a folder in its place":    {channel.NodeDir, "kept", ""},
		"a file for a folder":      {channel.NodeFile, "sub", "x"},
		"a new link":               {channel.NodeLink, "new", "sub"},
		"the link elsewhere":       {channel.NodeLink, "link", ".."},
		"through a link":           {channel.NodeFile, "link/new", "x"},
		"in a folder that is none": {channel.NodeFile, "gone/new", "x"},
		"what may be read":         {channel.NodeFile, "fixed", "fixed\nmore\n"},
	} {
		begin, dir := growing(t, func(e *enforce.Entry) { e.Denied = []enforce.Denied{{Path: "fixed", Read: true}} })
		g := begin()
		told(t, g, c.kind, c.rel, c.text)
		if err := g.finish(); len(g.refused) == 0 || err == nil || !strings.Contains(err.Error(), "was not taken") {
			t.Errorf("%s: %q, %v", name, g.refused, err)
		}
		if got, err := os.ReadFile(dir + "/kept"); err != nil || string(got) != "past\n" {
			t.Errorf("%s: kept is %q, %v", name, got, err)
		}
		if got, err := os.ReadFile(dir + "/fixed"); err != nil || string(got) != "fixed\n" {
			t.Errorf("%s: fixed is %q, %v", name, got, err)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 4 {
			t.Errorf("%s: the folder has %v, %v", name, all, err)
		}
		if all, err := os.ReadDir(dir + "/sub"); err != nil || len(all) != 0 {
			t.Errorf("%s: the folder in it has %v, %v", name, all, err)
		}
	}
}

// What the host has put in a file's place is not added to, nor what bounds do not let.
func TestGrowOnHost(t *testing.T) {
	begin, dir := growing(t, func(e *enforce.Entry) { e.Size, e.Files = 15, 5 })
	for _, err := range []error{os.Rename(dir+"/fixed", dir+"/away"), os.Symlink("away", dir+"/fixed"), os.WriteFile(dir+"/theirs", nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	g := begin()
	told(t, g, channel.NodeFile, "fixed", "fixed\nmore\n")
	told(t, g, channel.NodeFile, "theirs", "x")
	told(t, g, channel.NodeFile, "kept", "past\n1234567890")
	told(t, g, channel.NodeDir, "one", "")
	told(t, g, channel.NodeDir, "two", "")
	if len(g.failed) != 3 || len(g.refused) != 1 {
		t.Errorf("%q %q", g.refused, g.failed)
	}
	for name, want := range map[string]string{"away": "fixed\n", "theirs": "", "kept": "past\n1234"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := os.Stat(dir + "/two"); err == nil {
		t.Error("there is one folder too many")
	}
	if b, f := g.t.used(); b != 15 || f != 5 {
		t.Errorf("%d bytes and %d files are counted", b, f)
	}
}
