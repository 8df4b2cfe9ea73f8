package storage_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/storage"
)

var owner = storage.Owner{Principal: "uid:1", Pack: "org.example.a"}

func open(t testing.TB, root string, o storage.Owner, l storage.Limits) *storage.Space {
	t.Helper()
	s, err := storage.Open(root, o, l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func by(session string) storage.By { return storage.By{Session: session, Now: time.Unix(1000, 0)} }

// commit writes a whole value.
func commit(t testing.TB, s *storage.Space, key, text string, b storage.By) (storage.Version, error) {
	t.Helper()
	d, err := s.Draft(key, false)
	if err != nil {
		return storage.Version{}, err
	}
	if _, err := d.WriteAt([]byte(text), 0); err != nil {
		return storage.Version{}, errors.Join(err, d.Drop())
	}
	v, _, err := d.Commit(b)
	return v, err
}

func must(t testing.TB, s *storage.Space, key, text, session string) storage.Version {
	t.Helper()
	v, err := commit(t, s, key, text, by(session))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// content is what a key has; "-" where it has nothing.
func content(t testing.TB, s *storage.Space, key string) string {
	t.Helper()
	f, _, err := s.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVersions: each commit is a version, what is equal is none, and an old one comes
// back as a new one.
func TestVersions(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), owner, storage.Limits{})
	if got := content(t, s, "a/b"); got != "-" {
		t.Fatalf("before: %q", got)
	}
	must(t, s, "a/b", "one", "s-1")
	must(t, s, "a/b", "two", "s-2")
	if v := must(t, s, "a/b", "two", "s-3"); v.Number != 2 {
		t.Errorf("the same again is version %d", v.Number)
	}
	if _, err := s.Delete("a/b", by("s-4")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, s, "a/b"); got != "-" {
		t.Errorf("removed: %q", got)
	}
	if _, err := s.Delete("a/b", by("s-4")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	v, changed, err := s.Restore("a/b", 1, by(""))
	if err != nil || !changed || v.Number != 4 || content(t, s, "a/b") != "one" {
		t.Errorf("restored: %+v %v %v %q", v, changed, err, content(t, s, "a/b"))
	}
	if _, _, err := s.Restore("a/b", 3, by("")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("restored what was removed: %v", err)
	}
	if err := s.Forget("a/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("forgotten: %v", err)
	}
}

// TestKeys: what is no plain name is no key, and no file is called after one.
func TestKeys(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, owner, storage.Limits{})
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a\x00b", "a\nb", "*", "a/*", "a b", "a\\b", "é", "ａ", "a\u202eb",
		strings.Repeat("x", 4096), strings.Repeat("x/", 300) + "x"} {
		if _, err := commit(t, s, key, "x", by("s")); err == nil {
			t.Errorf("%q is a key", key)
		}
		if _, err := s.Get(key); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{"a", "a.b", "a-b_c", "...", "A", "owner.json"} {
		must(t, s, key, key, "s")
	}
	if content(t, s, "a") != "a" || content(t, s, "A") != "A" {
		t.Error("keys that differ by case are one")
	}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), "a-b_c") {
			t.Errorf("%s is called after a key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCheckKey: a key is what a capability can name, and covers itself.
func TestCheckKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "a/b", "a.b/c-d", "x+y"} {
		c, err := capability.Parse("storage.read:" + key)
		if err != nil || storage.CheckKey(key) != nil || c.Scope() != key {
			t.Errorf("%s: %v, %v", key, err, storage.CheckKey(key))
		}
	}
}

// TestFolders: a key is a value or a folder of values.
func TestFolders(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), owner, storage.Limits{})
	must(t, s, "a/b", "x", "s")
	must(t, s, "ab", "x", "s")
	if _, err := commit(t, s, "a", "x", by("s")); !errors.Is(err, storage.ErrFolder) {
		t.Errorf("over a folder: %v", err)
	}
	if _, err := commit(t, s, "a/b/c", "x", by("s")); !errors.Is(err, storage.ErrBeneath) {
		t.Errorf("beneath a value: %v", err)
	}
	if _, err := s.Delete("a/b", by("s")); err != nil {
		t.Fatal(err)
	}
	must(t, s, "a", "x", "s")
}

// TestApart: nobody has what another one stored.
func TestApart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	others := []storage.Owner{{Principal: "uid:1"}, {Principal: "uid:1", Pack: "org.example.b"}, {Principal: "uid:1@acme", Pack: owner.Pack},
		{Principal: "uid:2", Pack: owner.Pack}, {Principal: owner.Principal, Pack: owner.Pack, Left: time.Unix(5, 0)}}
	must(t, open(t, root, owner, storage.Limits{}), "k", "mine", "s")
	for i, o := range others {
		s := open(t, root, o, storage.Limits{})
		if got := content(t, s, "k"); got != "-" {
			t.Errorf("%+v has %q", o, got)
		}
		must(t, s, "k", fmt.Sprint(i), "s")
	}
	if got := content(t, open(t, root, owner, storage.Limits{}), "k"); got != "mine" {
		t.Errorf("it has become %q", got)
	}
	all, err := storage.All(root)
	if err != nil || len(all) != len(others)+1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestGive: what is given belongs to the other one, and who had it open commits
// nothing to whoever has the name now.
func TestGive(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	had := open(t, root, owner, storage.Limits{})
	must(t, had, "k", "old", "s")
	left := owner
	left.Left = time.Unix(7, 0)
	if err := open(t, root, owner, storage.Limits{}).Give(left); err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, had, "k", "late", by("s")); err == nil {
		t.Error("committed to what was given away")
	}
	now := open(t, root, owner, storage.Limits{})
	if _, err := commit(t, had, "k", "late", by("s")); err == nil {
		t.Error("committed to what another one has")
	}
	if got := content(t, now, "k"); got != "-" {
		t.Errorf("the next one has %q", got)
	}
	if got := content(t, open(t, root, left, storage.Limits{}), "k"); got != "old" {
		t.Errorf("what was given is %q", got)
	}
	if err := now.Give(left); err == nil {
		t.Error("given over what is there")
	}
}

// TestBounds: keys, bytes and versions are bounded, and what makes room is the key's
// own past.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), owner, storage.Limits{Value: 10, Total: 25, Keys: 3, Versions: 3})
	must(t, s, "a", "1234567890", "s-1")
	if _, err := commit(t, s, "a", "12345678901", by("s-1")); !errors.Is(err, storage.ErrLarge) {
		t.Errorf("a large value: %v", err)
	}
	must(t, s, "b", "abcdefghij", "s-1")
	if _, err := commit(t, s, "c", "123456", by("s-2")); !errors.Is(err, storage.ErrFull) {
		t.Errorf("one more key: %v", err)
	}
	must(t, s, "b", "0987654321", "s-2") // in the place of its own version
	if v, err := s.Get("a"); err != nil || content(t, s, "a") != "1234567890" || len(v.Versions) != 1 {
		t.Errorf("the other key: %+v %v", v, err)
	}
	must(t, s, "c", "1", "s-2")
	if _, err := commit(t, s, "d", "1", by("s-2")); !errors.Is(err, storage.ErrFull) {
		t.Errorf("a fourth key: %v", err)
	}
	for i := range 5 {
		must(t, s, "c", fmt.Sprint(i), fmt.Sprint("s-", i))
	}
	if v, err := s.Get("c"); err != nil || len(v.Versions) != 3 {
		t.Errorf("versions: %+v %v", v, err)
	}
	if _, err := s.Delete("a", by("s")); err != nil { // also where everything is full
		t.Errorf("remove: %v", err)
	}
}

// TestFlood: a session that commits without end leaves what was there before it.
func TestFlood(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, owner, storage.Limits{Versions: 4})
	must(t, s, "k", "before", "s-1")
	for i := range 200 {
		must(t, s, "k", fmt.Sprint(i), "s-2")
	}
	v, err := s.Get("k")
	if err != nil || len(v.Versions) != 4 || v.Versions[0].Number != 1 || v.Versions[3].Number != 201 {
		t.Errorf("%+v %v", v, err)
	}
	if n := contents(t, root); n != 4 {
		t.Errorf("%d contents are left", n)
	}
	if _, _, err := s.Restore("k", 1, by("")); err != nil || content(t, s, "k") != "before" {
		t.Errorf("restored: %v", err)
	}
}

// TestTwoWriters: both versions are kept, and the later one says what it was written
// from.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	one, two := open(t, root, owner, storage.Limits{}), open(t, root, owner, storage.Limits{})
	must(t, one, "k", "0", "s-0")
	first, err := one.Draft("k", true)
	if err != nil {
		t.Fatal(err)
	}
	second, err := two.Draft("k", true)
	if err != nil {
		t.Fatal(err)
	}
	var commits []storage.Commit
	record := func(c storage.Commit) error { commits = append(commits, c); return nil }
	for i, d := range []*storage.Draft{first, second} {
		if _, err := d.WriteAt(fmt.Append(nil, i+1), 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Commit(storage.By{Session: fmt.Sprint("s-", i+1), Now: time.Now(), Record: record}); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, one, "k"); got != "2" {
		t.Errorf("current is %q", got)
	}
	if v, err := one.Get("k"); err != nil || len(v.Versions) != 3 {
		t.Errorf("%+v %v", v, err)
	}
	if len(commits) != 2 || commits[0].Base != 1 || commits[0].Was != 1 || commits[1].Base != 1 || commits[1].Was != 2 {
		t.Errorf("recorded %+v", commits)
	}
}

// TestRecordFails: what could not be recorded is not there, and leaves nothing.
func TestRecordFails(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, owner, storage.Limits{})
	must(t, s, "k", "old", "s")
	b := by("s")
	b.Record = func(storage.Commit) error { return errors.New("the disk is full") }
	if _, err := commit(t, s, "k", "new", b); err == nil {
		t.Error("committed without a record")
	}
	if _, err := s.Delete("k", b); err == nil {
		t.Error("removed without a record")
	}
	if got := content(t, s, "k"); got != "old" {
		t.Errorf("it is %q", got)
	}
	if n := contents(t, root); n != 1 {
		t.Errorf("%d contents are left", n)
	}
}

// contents counts the files with content beneath a folder, drafts too.
func contents(t testing.TB, root string) (n int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.Contains(path, "/content/") || strings.Contains(path, "/drafts/")) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDrafts: what a writer left that is gone is removed, what one still has is not.
func TestDrafts(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, owner, storage.Limits{})
	d, err := s.Draft("k", false)
	if err != nil {
		t.Fatal(err)
	}
	drafts, err := filepath.Glob(root + "/*/drafts")
	if err != nil || len(drafts) != 1 {
		t.Fatal(drafts, err)
	}
	if err := os.WriteFile(drafts[0]+"/draft-left", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, root, owner, storage.Limits{})
	if left, err := os.ReadDir(drafts[0]); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
	if _, err := d.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Commit(by("s")); err != nil || content(t, s, "k") != "x" {
		t.Errorf("what was still written: %v", err)
	}
}
