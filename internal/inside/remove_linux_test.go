//go:build linux

package inside

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// here are the files of this machine, as if it were a session.
var here = Files{Open: func(w Wanted) (*os.File, int64, error) {
	fd, err := unix.Open(w.Path, w.Flags, w.Mode)
	return os.NewFile(uintptr(fd), w.Path), 1 << 20, err
}}

// A program puts a link in the place of a folder again and again, while that is removed:
// nothing is removed that the link leads to.
func TestRemoveAllRace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	fill := func(folders ...string) {
		for _, name := range folders {
			if err := os.MkdirAll(name, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name+"/file", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(victim)
	in, link := filepath.Join(dir, "d", "in"), filepath.Join(dir, "link")
	stop := again(func() {
		if _, err := os.Readlink(link); err != nil { // it was removed in the place of the folder
			_ = os.RemoveAll(link)
			_ = os.Symlink(victim, link)
		}
		for range 50 {
			_ = unix.Renameat2(unix.AT_FDCWD, in, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE) // it may be gone
		}
	})
	defer stop()
	removed := 0
	for range 500 {
		fill(filepath.Join(dir, "d"))
		if err := os.Mkdir(in, 0o700); err == nil {
			_ = os.WriteFile(in+"/file", nil, 0o600) // it may be the link by now
		}
		if n, err := here.RemoveAll(filepath.Join(dir, "d")); err == nil && n > 0 {
			removed++
		}
		if _, err := os.Stat(victim + "/file"); err != nil {
			t.Fatalf("what the link leads to: %v", err)
		}
	}
	if removed == 0 {
		t.Error("nothing was ever removed: the attempt is none")
	}
}

// again does something again and again until stop.
func again(do func()) (stop func()) {
	done := make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				do()
			}
		}
	})
	return func() { close(done); over.Wait() }
}

// What is too deep, and more than is named, holds all of it up.
func TestRemoveAllHeld(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	deep := filepath.Join(dir, strings.Repeat("d/", deepest))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if n, err := here.RemoveAll(dir); err == nil || n != 0 || !strings.Contains(err.Error(), "folders deep") {
		t.Errorf("%d names are removed, %v", n, err)
	}
	if _, err := os.Stat(deep); err != nil {
		t.Error(err)
	}
	if err := os.Remove(deep); err != nil {
		t.Fatal(err)
	}
	if n, err := here.RemoveAll(dir); err != nil || n != deepest {
		t.Errorf("%d names are removed, %v", n, err)
	}
}
