package pack_test

import (
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/pack"
)

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
