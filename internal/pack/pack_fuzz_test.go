package pack_test

import (
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/pack"
)

// Whatever an archive has, nothing is written beside the shelf, and what is taken
// reads back as what it was.
func FuzzDraft(f *testing.F) {
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(manifestText), 0o600); err != nil {
		f.Fatal(err)
	}
	good := filepath.Join(f.TempDir(), "good.tgz")
	to, err := os.Create(good)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := pack.Export(dir, to); err != nil {
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
		d, err := pack.At(filepath.Join(dir, "shelf")).Draft(file)
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

// An index that is understood is written back as it was read.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"version": 1, "packs": [{"id": "a", "folder": "/a", "digest": "sha256:x", "installed": "2026-01-02T03:04:05Z"}]}`))
	f.Add([]byte(`{"version": 1, "packs": null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "packs.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		x := pack.In(path)
		before, err := x.All()
		if err != nil {
			return
		}
		add := func(pack.Owner, bool) (pack.Owner, error) { return pack.Owner{ID: "\x7fnew", Folder: "/new"}, nil }
		if err := x.Change("\x7fnew", add); err != nil {
			t.Fatal(err)
		}
		if err := x.Change("\x7fnew", func(pack.Owner, bool) (pack.Owner, error) { return pack.Owner{}, nil }); err != nil {
			t.Fatal(err)
		}
		after, err := x.All()
		if err != nil || len(after) != len(before) {
			t.Fatal(before, after, err)
		}
		for i := range after {
			if !after[i].Installed.Equal(before[i].Installed) || after[i].ID != before[i].ID || after[i].Folder != before[i].Folder {
				t.Fatal(before[i], after[i])
			}
		}
	})
}
