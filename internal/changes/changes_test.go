//go:build linux

package changes_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/changes"
)

// place is a directory with a set of changes, as the kernel would keep them.
type place struct {
	*testing.T
	source, dir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{T: t, source: filepath.Join(t.TempDir(), "source"), dir: filepath.Join(t.TempDir(), "set")}
	for name, text := range map[string]string{"same": "same", "changed": "before", "removed": "gone", "d/in": "in", "d/deep/er": "deeper", "o/old": "old", "o/both": "both", "kind": "a file"} {
		p.put(p.source, name, text)
	}
	p.must(os.Symlink("same", filepath.Join(p.source, "link")))
	time.Sleep(10 * time.Millisecond) // by the clock of file systems it was before
	var st unix.Stat_t
	p.must(unix.Stat(p.source, &st))
	p.must(changes.Make(p.dir, changes.Meta{Session: "s-1", Source: p.source, Target: "/t", Dev: st.Dev, Ino: st.Ino}))
	return p
}

func (p *place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *place) put(dir, name, text string) {
	p.Helper()
	at := filepath.Join(dir, name)
	p.must(os.MkdirAll(filepath.Dir(at), 0o755))
	p.must(os.WriteFile(at, []byte(text), 0o644))
}

func (p *place) up(name string) string { return filepath.Join(p.dir, "upper", name) }

// whiteout marks a path as removed.
func (p *place) whiteout(name string) {
	p.Helper()
	p.must(os.MkdirAll(filepath.Dir(p.up(name)), 0o755))
	p.must(unix.Mknod(p.up(name), unix.S_IFCHR, 0))
}

// fill makes a change of each sort.
func (p *place) fill() {
	p.Helper()
	up := filepath.Join(p.dir, "upper")
	p.put(up, "same", "same") // its times only
	p.put(up, "changed", "after")
	p.whiteout("removed")
	p.put(up, "new/in/it", "new")
	p.must(os.Chmod(p.up("new/in/it"), 0o755|fs.ModeSetuid))
	p.whiteout("d/deep")
	p.must(os.Mkdir(p.up("o"), 0o755))
	p.must(unix.Setxattr(p.up("o"), "user.overlay.opaque", []byte("y"), 0))
	p.put(up, "o/both", "both!")
	p.must(os.Symlink("/etc/passwd", p.up("link")))
	p.must(os.Mkdir(p.up("kind"), 0o755))
	p.put(up, "kind/now", "a directory")
}

func (p *place) open() *changes.Set {
	p.Helper()
	s, err := changes.Open(p.dir)
	p.must(err)
	return s
}

// tree is all of a directory in words.
func (p *place) tree() string {
	p.Helper()
	var all []string
	p.must(filepath.WalkDir(p.source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(p.source, path) // it is beneath
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := rel + " " + info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(b)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " " + to
		}
		all = append(all, text)
		return nil
	}))
	return strings.Join(all, "\n")
}

func everything(changes.Change) bool { return true }

// TestList: each sort of change is listed as what it is.
func TestList(t *testing.T) {
	p := newPlace(t)
	p.fill()
	all, err := p.open().List()
	p.must(err)
	var got []string
	for _, c := range all {
		got = append(got, string(c.What)+" "+c.Type()+" "+c.Path)
	}
	want := []string{"changed file changed", "removed directory d/deep", "replaced directory kind", "added file kind/now", "changed link link",
		"added directory new", "added directory new/in", "added program new/in/it", "changed file o/both", "removed file o/old", "removed file removed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestApply: what is applied is what the session had, without rights of others.
func TestApply(t *testing.T) {
	p := newPlace(t)
	p.fill()
	applied, err := p.open().Apply(everything)
	p.must(err)
	if len(applied) != 11 {
		t.Errorf("applied %d", len(applied))
	}
	want := strings.Join([]string{". drwxr-xr-x", "changed -rw-r--r-- after", "d drwxr-xr-x", "d/in -rw-r--r-- in", "kind drwxr-xr-x",
		"kind/now -rw-r--r-- a directory", "link Lrwxrwxrwx /etc/passwd", "new drwxr-xr-x", "new/in drwxr-xr-x", "new/in/it -rwxr-xr-x new",
		"o drwxr-xr-x", "o/both -rw-r--r-- both!", "same -rw-r--r-- same"}, "\n")
	if got := p.tree(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if left, err := p.open().List(); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	p.must(p.open().Drop())
	if _, err := os.Stat(p.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestApplySome: what was chosen, with the directories that lead to it.
func TestApplySome(t *testing.T) {
	p := newPlace(t)
	p.fill()
	before := p.tree()
	applied, err := p.open().Apply(func(c changes.Change) bool { return c.Path == "new/in/it" })
	p.must(err)
	if len(applied) != 3 {
		t.Errorf("applied %v", applied)
	}
	if got := p.tree(); !strings.Contains(got, "new/in/it -rwxr-xr-x new") || !strings.Contains(got, "changed -rw-r--r-- before") || !strings.HasPrefix(got, before[:10]) {
		t.Errorf("got\n%s", got)
	}
}

// TestConflict: where anybody has changed what is to be changed, nothing is applied.
func TestConflict(t *testing.T) {
	for name, meanwhile := range map[string]func(p *place){
		"a file was changed": func(p *place) { p.put(p.source, "changed", "mine") },
		"its times were set back": func(p *place) {
			p.put(p.source, "changed", "mine")
			p.must(os.Chtimes(filepath.Join(p.source, "changed"), time.Unix(1, 0), time.Unix(1, 0)))
		},
		"one that was removed was changed": func(p *place) { p.put(p.source, "removed", "mine") },
		"it lies deep":                     func(p *place) { p.put(p.source, "d/deep/er", "mine") },
		"more was made there":              func(p *place) { p.put(p.source, "d/deep/more", "mine") },
		"the same was made":                func(p *place) { p.put(p.source, "new", "mine") },
		"a directory was made a link": func(p *place) {
			p.must(os.Rename(filepath.Join(p.source, "o"), filepath.Join(p.source, "o2")))
			p.must(os.Symlink("o2", filepath.Join(p.source, "o")))
		},
		"it is another directory": func(p *place) { p.must(os.Rename(p.source, p.source+"2")); p.put(p.source, "same", "same") },
		"a pipe was made":         func(p *place) { p.must(unix.Mkfifo(p.up("pipe"), 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.fill()
			meanwhile(p)
			before := p.tree()
			if applied, err := p.open().Apply(everything); err == nil {
				t.Errorf("applied %v", applied)
			}
			if after := p.tree(); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

// TestOutside: what a program makes of its directories leads nowhere else.
func TestOutside(t *testing.T) {
	p := newPlace(t)
	outside := t.TempDir()
	p.put(outside, "in", "mine")
	// In the session d became a link out, and what it wrote beneath that is a file
	// of another name; on the host d is a link out by now.
	p.must(os.RemoveAll(filepath.Join(p.source, "d")))
	p.must(os.Symlink(outside, filepath.Join(p.source, "d")))
	p.put(filepath.Join(p.dir, "upper"), "d/in", "evil")
	p.put(filepath.Join(p.dir, "upper"), "d/new", "evil")
	_, err := p.open().Apply(everything)
	if err == nil {
		t.Error("it was applied")
	}
	entries, err := os.ReadDir(outside)
	p.must(err)
	text, err := os.ReadFile(filepath.Join(outside, "in"))
	if err != nil || string(text) != "mine" || len(entries) != 1 {
		t.Errorf("outside: %s, %v, %v", text, entries, err)
	}
}

// TestRename: nothing is renamed through a link, wherever it leads, nor out of the
// directory: what was listed may have been replaced since.
func TestRename(t *testing.T) {
	p := newPlace(t)
	outside := t.TempDir()
	p.must(os.Symlink(outside, filepath.Join(p.source, "out")))
	p.must(os.Symlink("d", filepath.Join(p.source, "in")))
	for _, to := range []string{"out/x", "in/x", "../x", "d/../../x"} {
		if err := changes.Rename(p.open(), "same", to); err == nil {
			t.Errorf("it went to %s", to)
		}
	}
	p.must(changes.Rename(p.open(), "same", "d/x"))
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
}

// TestInterrupted: who is interrupted after any of the steps has changed nothing,
// once the next looks.
func TestInterrupted(t *testing.T) {
	for steps := range 12 {
		p := newPlace(t)
		p.fill()
		before := p.tree()
		if err := changes.ApplyPart(p.open(), steps); err != nil {
			t.Fatal(steps, err)
		}
		if after := p.tree(); after == before {
			t.Errorf("after %d steps nothing has changed, so this shows nothing", steps)
		}
		s := p.open()
		if _, err := s.Apply(func(changes.Change) bool { return false }); err != nil {
			t.Fatal(steps, err)
		}
		if after := p.tree(); after != before {
			t.Errorf("after %d steps:\n%s\nbefore\n%s", steps, after, before)
		}
		if _, err := s.Apply(everything); err != nil {
			t.Errorf("after %d steps: %v", steps, err)
		}
	}
}

// TestOpenRefuses: what is known of a set is read strictly.
func TestOpenRefuses(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"session":"s","source":"x","began":"2026-01-01T00:00:00Z"}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "changes.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := changes.Open(dir); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
