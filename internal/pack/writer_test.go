package pack

import (
	"io"
	"os"
	"strings"
	"testing"
)

// endless is a file without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestWriterBytes: no more is written than there is room for, in one file or in
// several.
func TestWriterBytes(t *testing.T) {
	for name, write := range map[string]func(w *Writer) error{
		"one file": func(w *Writer) error { return w.File("a", 0, endless{}) },
		"several": func(w *Writer) (err error) {
			for i := 0; i < 100 && err == nil; i++ {
				err = w.File("a"+strings.Repeat("b", i), 0, io.LimitReader(endless{}, 1000))
			}
			return err
		},
	} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := write(&Writer{root: root, room: 10_000}); err == nil || !strings.Contains(err.Error(), "MiB") {
			t.Errorf("%s: %v", name, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var size int64
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				size += info.Size()
			}
		}
		if size < 10_000 || size > 10_001 {
			t.Errorf("%s: %d bytes were written", name, size)
		}
	}
}
