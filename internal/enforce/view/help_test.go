package view_test

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// folder is a fresh folder by its path without links, that others may enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// The folder above is made for its owner alone.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// must stops a test whose stage could not be set.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file with the folders above it.
func write(t *testing.T, path, content string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o755))
	return path
}

// is compares an object with what lies at a path, links not followed.
func is(t *testing.T, o enforce.Object, path string) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	if o.Path != path || o.Dev != st.Dev || o.Ino != st.Ino || o.Dir != (st.Mode&unix.S_IFMT == unix.S_IFDIR) || o.Names != uint64(st.Nlink) { //nolint:unconvert // its size is the architecture's
		t.Errorf("got %+v, want what lies at %q", o, path)
	}
}

// asUser runs f with the rights of an ordinary user on files. Only this thread
// has them, and it ends with the test.
func asUser(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if err := unix.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// exchange puts two files in each other's place in a loop, until the test ends.
func exchange(t *testing.T, a, b string) {
	t.Helper()
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for err == nil && !stop.Load() {
			err = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
		done <- err
	}()
	t.Cleanup(func() {
		stop.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
