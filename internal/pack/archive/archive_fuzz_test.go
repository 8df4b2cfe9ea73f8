package archive_test

import (
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive"
)

// Whatever an archive has, nothing is written beside the shelf, and what is taken
// reads back as what it was.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(manifestText), 0o600); err != nil {
		f.Fatal(err)
	}
	good := filepath.Join(f.TempDir(), "good.tgz")
	to, err := os.Create(good)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := archive.Write(dir, to); err != nil {
		f.Fatal(err)
	}
	if err := to.Close(); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte("ambit.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, "archive")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := draft(filepath.Join(dir, "shelf"), file)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Fatal(entries, err)
		}
		if err != nil {
			return
		}
		defer d.Close()
		folder, err := d.Keep()
		if err != nil {
			t.Fatal(err)
		}
		if p, err := pack.Read(folder); err != nil || p.Digest != d.Digest || p.Signer != d.Signer {
			t.Fatal(p.Digest, err)
		}
	})
}
