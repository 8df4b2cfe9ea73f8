//go:build linux

package inside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/aside"
)

// Who puts a file into a folder removes what one who was killed left aside there, and
// nothing else.
func TestWriteClears(t *testing.T) {
	dir := t.TempDir()
	left, linked, young := filepath.Join(dir, aside.Name()), filepath.Join(dir, aside.Name()), filepath.Join(dir, aside.Name())
	for _, p := range []string{left, linked, young} {
		if err := os.WriteFile(p, []byte("part"), 0o600); err != nil {
			t.Fatal(err)
		}
		if long := time.Now().Add(-2 * time.Hour); p != young {
			if err := os.Chtimes(p, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Link(linked, dir+"/important"); err != nil {
		t.Fatal(err)
	}
	fs := Files{Open: func(w Wanted) (*os.File, int64, error) {
		fd, err := unix.Open(w.Path, w.Flags, w.Mode)
		return os.NewFile(uintptr(fd), w.Path), 1 << 20, err
	}}
	if n, err := fs.Write(dir+"/file", strings.NewReader("whole")); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if text, err := os.ReadFile(dir + "/file"); err != nil || string(text) != "whole" {
		t.Errorf("the file has %q, %v", text, err)
	}
	for p, want := range map[string]bool{left: false, linked: true, young: true, dir + "/important": true} {
		if _, err := os.Lstat(p); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", p, err, want)
		}
	}
}
