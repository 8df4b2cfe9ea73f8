package token_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/token"
)

// Tokens are told from what is none without asking anybody, and each is another.
func TestSpelling(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		text := token.New()
		if !token.Plausible(text) || len(text) != 55 || seen[text] {
			t.Fatalf("%q is no new token", text)
		}
		seen[text] = true
		for _, i := range []int{0, 6, 20, 48, 54} {
			other := []byte(text)
			other[i] = map[bool]byte{true: 'B', false: 'A'}[other[i] == 'A']
			if token.Plausible(string(other)) {
				t.Errorf("%q passes for %q", other, text)
			}
		}
		if token.Plausible(text+"a") || token.Plausible(text[:54]) || token.Plausible(" "+text) {
			t.Errorf("what is longer or shorter than %q passes", text)
		}
	}
}

func made(name string, text string) token.Token {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return token.Token{Name: name, Role: "viewer", Hash: token.Hash(text), Created: now, Expires: now.Add(time.Hour)}
}

// What is put in is there, once, and gone when it is taken out; the file is the
// user's alone, and has no token.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := token.In(dir)
	if all, err := f.List(); err != nil || len(all) != 0 {
		t.Fatalf("no file: %v %v", all, err)
	}
	text := token.New()
	for _, name := range []string{"b", "a"} {
		if err := f.Add(made(name, text+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add(made("a", "other")); !errors.Is(err, token.ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	if err := f.Remove("b", "c"); !errors.Is(err, token.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
	all, err := f.List()
	if err != nil || len(all) != 2 || all[0] != made("a", text+"a") {
		t.Errorf("the list is %v %v", all, err)
	}
	path := filepath.Join(dir, "tokens.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if err := f.Remove("a", "b"); err != nil {
		t.Error(err)
	}
	if all, err := f.List(); err != nil || len(all) != 0 {
		t.Errorf("all taken out: %v %v", all, err)
	}
}

// Who reads the state folder finds nothing that is good for a login.
func TestStolenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := token.New()
	if err := token.In(dir).Add(made("ci", text)); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "tokens.json"))
	if err != nil || !strings.Contains(string(file), token.Hash(text)) {
		t.Fatalf("the file has no hash: %v", err)
	}
	if strings.Contains(string(file), text) || strings.Contains(string(file), text[6:30]) {
		t.Errorf("the file has the token: %s", file)
	}
	k := token.Know(token.In(dir))
	now := time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)
	for stolen, want := range map[string]bool{text: true, token.Hash(text): false} {
		if _, ok, err := k.ByHash(token.Hash(stolen), now); ok != want || err != nil {
			t.Errorf("%q is known: %v %v", stolen, ok, err)
		}
	}
}

// What is wrong with the file is said, and nobody is known by it.
func TestRefused(t *testing.T) {
	t.Parallel()
	text := token.New()
	good := `{"version":1,"tokens":[{"name":"a","role":"viewer","hash":"` + token.Hash(text) + `","created":"2026-01-01T00:00:00Z","expires":"2099-01-01T00:00:00Z"}]}`
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		ok   bool
	}{
		"good":             {good, 0o600, true},
		"writable":         {good, 0o620, false},
		"another version":  {strings.Replace(good, `:1`, `:2`, 1), 0o600, false},
		"an unknown field": {strings.Replace(good, `"role"`, `"scope":"x","role"`, 1), 0o600, false},
		"an unknown role":  {strings.Replace(good, "viewer", "root", 1), 0o600, false},
		"no end":           {strings.Replace(good, `,"expires":"2099-01-01T00:00:00Z"`, "", 1), 0o600, false},
		"no hash":          {strings.Replace(good, token.Hash(text), "", 1), 0o600, false},
		"two documents":    {good + good, 0o600, false},
		"empty":            {"", 0o600, false},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "tokens.json")
		if err := errors.Join(os.WriteFile(path, []byte(tc.text), 0o600), os.Chmod(path, tc.mode)); err != nil {
			t.Fatal(err)
		}
		_, ok, err := token.Know(token.In(dir)).ByHash(token.Hash(text), time.Now())
		if ok != tc.ok || (err == nil) != tc.ok {
			t.Errorf("%s: known %v, %v", name, ok, err)
		}
	}
}

// A token that ends, is taken out or comes is so at the next look, and what is noted
// of its use does not bring it back.
func TestKnown(t *testing.T) {
	t.Parallel()
	f := token.In(t.TempDir())
	k := token.Know(f)
	it := made("ci", "text")
	found := func(at time.Time) bool {
		_, ok, err := k.ByHash(it.Hash, at)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if found(it.Created) {
		t.Error("it is known before it is there")
	}
	if err := f.Add(it); err != nil {
		t.Fatal(err)
	}
	if !found(it.Created) || found(it.Expires) || found(it.Expires.Add(time.Hour)) {
		t.Error("it is not known, or beyond its end")
	}
	k.Note(it, it.Created.Add(10*time.Minute))
	if err := k.Flush(); err != nil {
		t.Fatal(err)
	}
	if all, err := f.List(); err != nil || len(all) != 1 || !all[0].Used.Equal(time.Date(2026, 1, 2, 3, 14, 0, 0, time.UTC)) {
		t.Errorf("its use is not noted: %v %v", all, err)
	}
	k.Note(it, it.Created.Add(20*time.Minute))
	if err := f.Remove("ci"); err != nil {
		t.Fatal(err)
	}
	if found(it.Created) {
		t.Error("it is known when it was taken out")
	}
	if err := k.Flush(); err != nil {
		t.Error(err)
	}
	if found(it.Created) {
		t.Error("a note of its use brought it back")
	}
}

// Several that change the file lose nothing of each other.
func TestHammerFile(t *testing.T) {
	t.Parallel()
	f := token.In(t.TempDir())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			name := string(rune('a' + i))
			if err := f.Add(made(name, name)); err != nil {
				t.Error(err)
			}
			if err := f.Use(map[string]time.Time{token.Hash(name): time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := f.List()
	if err != nil || len(list) != 20 {
		t.Fatalf("%d are there: %v", len(list), err)
	}
	for _, it := range list {
		if it.Used.IsZero() {
			t.Errorf("the use of %s is lost", it.Name)
		}
	}
}
