package checks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const top = "/sys/fs/cgroup"

// oldLandlock reports whether this kernel has that of Linux 6.1.
func oldLandlock(t *testing.T) bool {
	t.Helper()
	return strings.Contains(ambit(t, nil, "version").out, "Landlock version 2\n")
}

// scope makes a control group like that of `systemd-run --scope -p Delegate=yes`
// and returns it open, for a program that has it for itself. A user's lies in
// what is delegated to the user, who divides it as systemd's user instance does:
// with nobody in it.
func scope(t *testing.T) *os.File {
	t.Helper()
	parent := divided(t)
	dir, err := os.MkdirTemp(parent, "scope-") //nolint:usetesting // its parent says what it is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// divided is the control group that this process was started in, after it has
// moved to a leaf.
func divided(t *testing.T) string {
	t.Helper()
	dir := ownGroup(t)
	if filepath.Base(dir) == "leaf" {
		return filepath.Dir(dir)
	}
	leaf := filepath.Join(dir, "leaf")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	write(t, filepath.Join(leaf, "cgroup.procs"), "0")
	write(t, filepath.Join(dir, "cgroup.subtree_control"), "+memory +pids +cpu")
	return dir
}

func ownGroup(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, path, ok := strings.Cut(strings.TrimSpace(string(text)), "0::")
	if !ok {
		t.Fatalf("no unified control group: %q", text)
	}
	return filepath.Join(top, path)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// sessions are the control groups of sandboxes, wherever they are.
func sessions(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "ambit-s-") {
			found = append(found, path)
		}
		return nil // one may be gone by the time it is looked at
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// removeAll removes a control group with those beneath it.
func removeAll(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			removeAll(t, filepath.Join(dir, e.Name()))
		}
	}
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}
