package view_test

import (
	"os"
	"reflect"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce/view"
)

// TestReadingSees: whatever is changed of what a base view was read from is seen.
func TestReadingSees(t *testing.T) {
	later := time.Hour // as if what is made here had been there for long
	for name, c := range map[string]struct {
		same bool
		do   func(dir string) error
	}{
		"nothing":                {true, func(string) error { return nil }},
		"a file beside":          {true, func(dir string) error { return os.WriteFile(dir+"/etc/other", nil, 0o600) }},
		"a file in a directory":  {true, func(dir string) error { return os.WriteFile(dir+"/usr/file", nil, 0o600) }},
		"content":                {false, func(dir string) error { return os.WriteFile(dir+"/etc/file", []byte("new"), 0o600) }},
		"a file in its place":    {false, func(dir string) error { return os.Rename(dir+"/etc/twin", dir+"/etc/file") }},
		"mode":                   {false, func(dir string) error { return os.Chmod(dir+"/etc/file", 0o644) }},
		"no file":                {false, func(dir string) error { return os.Remove(dir + "/etc/file") }},
		"a file that was not":    {false, func(dir string) error { return os.WriteFile(dir+"/etc/absent", nil, 0o600) }},
		"behind a link":          {false, func(dir string) error { return os.WriteFile(dir+"/etc/target", []byte("new"), 0o600) }},
		"another link":           {false, func(dir string) error { return relink(dir+"/etc/link", "file") }},
		"another directory":      {false, func(dir string) error { return swap(dir+"/usr", dir+"/usr2") }},
		"a link for a directory": {false, func(dir string) error { return relink(dir+"/usr", "usr2") }},
		"a directory above":      {false, func(dir string) error { return swap(dir+"/etc", dir+"/etc2") }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range []string{"/etc", "/etc2", "/usr", "/usr2"} {
				must(t, os.Mkdir(dir+d, 0o755))
			}
			for _, f := range []string{"file", "twin", "target"} {
				must(t, os.WriteFile(dir+"/etc/"+f, []byte("old"), 0o600))
				must(t, os.Link(dir+"/etc/"+f, dir+"/etc2/"+f))
			}
			must(t, os.Symlink("target", dir+"/etc/link"))
			paths := []string{dir + "/usr", dir + "/etc/file", dir + "/etc/absent", dir + "/etc/link"}
			if got := view.Same(paths, later, func() { must(t, c.do(dir)) }); got != c.same {
				t.Errorf("it looks the same: %v, want %v", got, c.same)
			}
			if view.Same(paths, 0, func() {}) {
				t.Error("what was changed just now could be changed again and look the same")
			}
		})
	}
}

// relink puts a link in the place of what is at a path.
func relink(at, target string) error {
	if err := os.Rename(at, at+".was"); err != nil {
		return err
	}
	return os.Symlink(target, at)
}

// swap puts another directory in the place of one.
func swap(at, other string) error {
	if err := os.Rename(at, at+".was"); err != nil {
		return err
	}
	return os.Rename(other, at)
}

// TestReadingIsBase: what was read once is what is read anew, for the same person.
func TestReadingIsBase(t *testing.T) {
	r, err := view.Read(person)
	must(t, err)
	for _, w := range []view.Who{person, {Name: "bob", UID: 1235, GID: 1235, Home: "/home/bob"}} {
		got, err := r.Base(w)
		must(t, err)
		want := base(t, w)
		got.Sockets, want.Sockets = nil, nil // others make some meanwhile
		if !reflect.DeepEqual(got, want) {
			t.Errorf("for %s: %+v, want %+v", w.Name, got, want)
		}
	}
	for end := time.Now().Add(time.Minute); !view.Stands(r); time.Sleep(100 * time.Millisecond) { // others may change this host
		if time.Now().After(end) {
			t.Fatal("nothing has changed, and all of it is read anew")
		}
		r, err = view.Read(person)
		must(t, err)
	}
	if _, err := (*view.Reading)(nil).Base(person); err != nil {
		t.Error(err)
	}
}
