package view

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// byLibrary is what debug/elf takes for the loader.
func byLibrary(t testing.TB, r io.ReaderAt) (string, error) {
	t.Helper()
	f, err := elf.NewFile(r)
	if err != nil {
		return "", err
	}
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(s.Open(), maxLoader))
			return strings.TrimRight(string(name), "\x00"), err
		}
	}
	return "", nil
}

func headOf(b []byte) []byte { return b[:min(len(b), 256)] }

// TestLoaderOfPrograms reads the programs of this host like debug/elf does.
func TestLoaderOfPrograms(t *testing.T) {
	paths, _ := filepath.Glob("/usr/bin/[a-h]*")
	with := 0
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		head := make([]byte, 256)
		n, _ := f.Read(head)
		got, err := loaderOf(head[:n], f)
		if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
			if want, err2 := byLibrary(t, f); got != want || err != nil || err2 != nil {
				t.Errorf("%s: got %q, %v, want %q, %v", p, got, err, want, err2)
			}
			if got != "" {
				with++
			}
		} else if got != "" || err != nil {
			t.Errorf("%s: got %q, %v of no ELF file", p, got, err)
		}
		f.Close()
	}
	if with == 0 {
		t.Error("no program with a loader was found: this proves nothing")
	}
}

// FuzzLoader: whatever a file holds, its loader is a string of the file, and
// where debug/elf finds one too it is the same.
func FuzzLoader(f *testing.F) {
	if self, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(self[:min(len(self), 4096)])
	}
	small := []byte("\x7fELF\x01\x01\x01")
	f.Add(append(small, make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := loaderOf(headOf(b), bytes.NewReader(b))
		if err != nil && got != "" {
			t.Errorf("got %q and %v", got, err)
		}
		if !bytes.Contains(b, []byte(got)) {
			t.Errorf("got %q, which is not in the file", got)
		}
		if want, err2 := byLibrary(t, bytes.NewReader(b)); err == nil && err2 == nil && got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
