package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made writes an image by hand.
func made(t *testing.T, store string) Image {
	t.Helper()
	dir := filepath.Join(store, ".new")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range digested {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i := Image{Dir: dir, Parts: []string{"base"}}
	if err := errors.Join(i.Seal(), i.Keep(store)); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestKept(t *testing.T) {
	store := t.TempDir()
	if _, err := Default(store); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	i := made(t, store)
	got, err := Default(store)
	if err != nil || got.ID != i.ID || got.Size != i.Size {
		t.Errorf("got %+v %v, want %+v", got, err, i)
	}
	if again := made(t, store); again.ID != i.ID {
		t.Errorf("the same contents are %s and %s", i.ID, again.ID)
	}
	all, err := List(store)
	if err != nil || len(all) != 1 {
		t.Errorf("got %+v %v", all, err)
	}
	for _, id := range []string{"", "..", "../../etc", strings.ToUpper(i.ID), "0000000000000000", i.ID + "/"} {
		if err := Remove(store, id); err == nil {
			t.Errorf("removed %q", id)
		}
	}
	if err := Remove(store, i.ID); err != nil {
		t.Error(err)
	}
	if _, err := Default(store); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
}

// TestForeign: an image that says that it is another one is not used.
func TestForeign(t *testing.T) {
	store := t.TempDir()
	i := made(t, store)
	const other = "00112233445566ff"
	if err := os.Rename(i.Dir, filepath.Join(store, other)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(store, other); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("got %v", err)
	}
}

// TestOlder: an image that an older version made says so, and is not used.
func TestOlder(t *testing.T) {
	store := t.TempDir()
	i := made(t, store)
	file := filepath.Join(i.Dir, aboutFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte(strings.Replace(string(text), `"names"`, `"other"`, 1)), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(store, i.ID); err == nil || !strings.Contains(err.Error(), "an older version") {
		t.Errorf("got %v", err)
	}
}

// TestContents: an image has the paths that were named, and no others.
func TestContents(t *testing.T) {
	i := Image{Dir: t.TempDir()}
	if err := i.Name([]string{"/usr/bin/true", "/usr", "/usr/bin"}); err != nil {
		t.Fatal(err)
	}
	c, err := i.Contents()
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]bool{"/usr": true, "/usr/bin": true, "/usr/bin/true": true, "/usr/bin/tru": false, "/usr/b": false, "usr": false, "": false, "/": false} {
		if got := c.Has(p); got != want {
			t.Errorf("%q: %t", p, got)
		}
	}
}
