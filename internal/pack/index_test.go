package pack_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/pack"
)

// Owners come and go, each by itself, however many change the index at once.
func TestIndex(t *testing.T) {
	x := pack.In(filepath.Join(t.TempDir(), "packs.json"))
	if all, err := x.All(); err != nil || len(all) > 0 {
		t.Fatal(all, err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			id := "org.example." + strconv.Itoa(i)
			if err := x.Change(id, func(_ pack.Owner, known bool) (pack.Owner, error) {
				if known {
					t.Error("it is known")
				}
				return pack.Owner{ID: id, Folder: "/packs/" + id}, nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	owners, err := x.All()
	if err != nil || len(owners) != 20 {
		t.Fatal(owners, err)
	}
	o, ok, err := x.Owner("org.example.7")
	if err != nil || !ok || o.Folder != "/packs/org.example.7" {
		t.Error(o, ok, err)
	}
	no := errors.New("no")
	if err := x.Change(o.ID, func(before pack.Owner, known bool) (pack.Owner, error) {
		if !known || before != o {
			t.Error(before, known)
		}
		return pack.Owner{}, no
	}); !errors.Is(err, no) {
		t.Error(err)
	}
	if _, ok, err := x.Owner(o.ID); err != nil || !ok {
		t.Error("what failed has changed something", err)
	}
	if err := x.Change(o.ID, func(pack.Owner, bool) (pack.Owner, error) { return pack.Owner{}, nil }); err != nil {
		t.Error(err)
	}
	if _, ok, err := x.Owner(o.ID); err != nil || ok {
		t.Error("it is still there", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(t.TempDir()), "*", "packs.json.*[0-9]")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// TestTaken: what was installed last of what each key signed is remembered, also when it
// is removed, and of what an index of the first version has.
func TestTaken(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "packs.json", `{"version": 1, "packs": [{"id": "a", "folder": "/a", "digest": "sha256:1", "version": "1.0", "signer": "k"}, {"id": "b", "folder": "/b"}]}`, 0o600)
	x := pack.In(filepath.Join(dir, "packs.json"))
	want := func(when, id, signer string, want ...string) {
		t.Helper()
		taken, err := x.Taken(id, signer)
		var got []string
		for _, t := range taken {
			got = append(got, t.Signer+" "+t.Version)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %s of %q has %q, %v; want %q", when, id, signer, got, err, want)
		}
	}
	change := func(id string, o pack.Owner) {
		t.Helper()
		if err := x.Change(id, func(pack.Owner, bool) (pack.Owner, error) { return o, nil }); err != nil {
			t.Fatal(err)
		}
	}
	want("before", "a", "k", "k 1.0")
	want("before", "a", "other", "k 1.0")
	want("before", "b", "")
	change("a", pack.Owner{})
	want("removed", "a", "k", "k 1.0")
	want("removed", "a", "other")
	change("a", pack.Owner{ID: "a", Folder: "/c", Digest: "sha256:2", Version: "2.0", Signer: "other"})
	want("by another key", "a", "k", "other 2.0", "k 1.0")
	change("a", pack.Owner{ID: "a", Folder: "/d", Digest: "sha256:3", Version: "1.5", Signer: "other"})
	want("an older one", "a", "other", "other 1.5")
	change("b", pack.Owner{ID: "b", Folder: "/e"})
	want("a folder", "b", "")
	want("of nobody", "c", "")
}

// An index that cannot be understood, or that others may have written, answers
// nothing, and least of all that an id is free.
func TestIndexRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"empty":          {"", 0o600},
		"cut":            {`{"version": 1, "packs": [`, 0o600},
		"two":            {`{"version": 1, "packs": []} {}`, 0o600},
		"newer":          {`{"version": 3, "packs": []}`, 0o600},
		"an unknown key": {`{"version": 1, "packs": [], "more": 1}`, 0o600},
		"one id twice":   {`{"version": 1, "packs": [{"id": "a", "folder": "/a"}, {"id": "a", "folder": "/b"}]}`, 0o600},
		"not in order":   {`{"version": 1, "packs": [{"id": "b", "folder": "/a"}, {"id": "a", "folder": "/b"}]}`, 0o600},
		"no folder":      {`{"version": 1, "packs": [{"id": "a", "folder": "a"}]}`, 0o600},
		"taken, nothing": {`{"version": 2, "packs": [], "taken": [{"id": "a", "digest": ""}]}`, 0o600},
		"taken twice":    {`{"version": 2, "packs": [], "taken": [{"id": "a", "digest": "d"}, {"id": "a", "digest": "e"}]}`, 0o600},
		"of others":      {`{"version": 1, "packs": []}`, 0o666},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "packs.json")
			put(t, filepath.Dir(path), "packs.json", tc.text, tc.mode)
			x := pack.In(path)
			if _, ok, err := x.Owner("a"); err == nil || ok || !strings.Contains(err.Error(), path) {
				t.Error(ok, err)
			}
			if err := x.Change("a", func(pack.Owner, bool) (pack.Owner, error) { return pack.Owner{ID: "a", Folder: "/a"}, nil }); err == nil {
				t.Error("it was changed")
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != tc.text {
				t.Error("it was written anew", err)
			}
		})
	}
}

// What is on the shelf is what was drafted; whoever changes it there is found out,
// and installing it again mends it.
func TestShelf(t *testing.T) {
	shelf := pack.At(filepath.Join(t.TempDir(), "shelf"))
	source := folder(t)
	install := func() pack.Owner {
		d, err := shelf.Draft(func(dir string) error { return pack.Copy(source, dir) })
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		dir, err := d.Keep()
		if err != nil || dir != shelf.Folder(d.Digest) {
			t.Fatal(dir, err)
		}
		return pack.Owner{ID: d.Manifest.ID, Folder: dir, Digest: d.Digest}
	}
	o := install()
	if again := install(); again != o {
		t.Error(again)
	}
	if _, err := shelf.Verify(o); err != nil {
		t.Error(err)
	}
	put(t, o.Folder, "lib/a", "evil", 0o644)
	if _, err := shelf.Verify(o); err == nil || !strings.Contains(err.Error(), "was changed since") {
		t.Error(err)
	}
	if again := install(); again != o {
		t.Error(again)
	}
	if _, err := shelf.Verify(o); err != nil {
		t.Error(err)
	}
	d, err := shelf.Draft(func(dir string) error { return pack.Copy(source, dir) })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	entries, err := os.ReadDir(filepath.Dir(o.Folder))
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	draft, kept := entries[0], entries[1] // in the order of their names
	now := time.Now()
	for what, tc := range map[string]struct{ got, want bool }{
		"a pack that is installed": {pack.Unused(kept, o.Folder, []pack.Owner{o}, now), false},
		"one that is not":          {pack.Unused(kept, o.Folder, nil, now), true},
		"a draft":                  {pack.Unused(draft, "", nil, now), false},
		"one that nobody finished": {pack.Unused(draft, "", nil, now.Add(25*time.Hour)), true},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is unused: %v", what, tc.got)
		}
	}
}
