package aside_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/aside"
)

func TestNames(t *testing.T) {
	name := aside.Name()
	if !aside.Is(name) || name == aside.Name() {
		t.Errorf("%q", name)
	}
	for _, other := range []string{"", ".ambit-new-", name[1:], name + "A", name[:len(name)-1], name[:len(name)-1] + "a", name[:len(name)-1] + "/", ".ambit-new-notes for the next version"} {
		if aside.Is(other) {
			t.Errorf("%q is taken for one", other)
		}
	}
}

// What may be removed is a file that nobody writes: nothing of another form, nothing that
// is young, held, has another name or leads elsewhere.
func TestLeft(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	file := func() string {
		name := aside.Name()
		if err := os.WriteFile(at(name), []byte("part"), 0o600); err != nil {
			t.Fatal(err)
		}
		age(t, at(name))
		return name
	}
	left, held, linked, young, pipe, notes := file(), file(), file(), aside.Name(), aside.Name(), ".ambit-new-notes"
	f, err := os.Open(at(held))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	aside.Hold(f)
	for _, err := range []error{
		os.Link(at(linked), at("important")), os.Symlink(notes, at(aside.Name())), os.Mkdir(at(aside.Name()), 0o755),
		unix.Mkfifo(at(pipe), 0o600), os.WriteFile(at(notes), nil, 0o600), os.WriteFile(at(young), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	age(t, at(notes))
	age(t, at(pipe))
	if names := aside.In(int(d.Fd())); !slices.Equal(names, []string{left}) {
		t.Errorf("left are %q, want %q", names, left)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(at(left), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if names := aside.In(int(d.Fd())); len(names) > 0 {
			t.Errorf("%q is another user's", names)
		}
	}
}

// age has a file look as if nobody had written to it for long.
func age(t *testing.T, path string) {
	t.Helper()
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
}
