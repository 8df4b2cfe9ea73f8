package pack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/pack"
)

// newKey makes a key; its file and what is public of it.
func newKey(t *testing.T, name string) (file, public string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	public, err := pack.NewKey(name, file)
	if err != nil {
		t.Fatal(err)
	}
	return file, public
}

// handOn has a key hand on to another one, which signs then.
func handOn(t *testing.T, dir, from, to, public string, until time.Time) {
	t.Helper()
	if err := pack.HandOn(dir, from, public, until); err != nil {
		t.Fatal(err)
	}
	if p := read(t, dir); p.Signer != "" {
		t.Fatalf("it is still signed by %s", p.Signer)
	}
	if p, err := pack.Sign(dir, to); err != nil || p.Signer != public {
		t.Fatal(p.Signer, err)
	}
}

// TestHanded: a key hands on to the key that it names, by itself or by others in
// between, until the time that it says, and to no other.
func TestHanded(t *testing.T) {
	one, onePublic := newKey(t, "one")
	two, twoPublic := newKey(t, "two")
	three, threePublic := newKey(t, "three")
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end := now.Add(time.Hour)
	want := func(what, dir string, when time.Time, from string, want bool) {
		t.Helper()
		if got := read(t, dir).Handed(from, when); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	dir := folder(t)
	handOn(t, dir, one, two, twoPublic, end)
	want("to the next", dir, now, onePublic, true)
	want("by itself", dir, now, twoPublic, false)
	want("by another", dir, now, threePublic, false)
	want("too late", dir, end, onePublic, false)
	handOn(t, dir, two, three, threePublic, time.Time{})
	want("to the one after", dir, now, onePublic, true)
	want("to the one after, from the second", dir, end, twoPublic, true)
	want("to the one after, too late", dir, end, onePublic, false)

	// The statements that are there are signed by whoever signs the pack, and of no use to another key.
	if _, err := pack.Sign(dir, two); err != nil {
		t.Fatal(err)
	}
	want("back", dir, now, threePublic, false)
	fourth, _ := newKey(t, "four")
	if _, err := pack.Sign(dir, fourth); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{onePublic, twoPublic, threePublic} {
		want("replayed for a third key", dir, now, from, false)
	}
	if err := pack.HandOn(dir, fourth, "four", time.Time{}); err == nil {
		t.Error("it is handed on to what is no key")
	}
}

// TestHandedForged: a statement that another key has signed, or that was changed, is of
// another pack or is none, spoils the pack.
func TestHandedForged(t *testing.T) {
	one, onePublic := newKey(t, "one")
	two, twoPublic := newKey(t, "two")
	thief, thiefPublic := newKey(t, "one")
	change := func(from, to string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, pack.HandoverFile)
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), from) {
				t.Fatal(err, string(text))
			}
			put(t, dir, pack.HandoverFile, strings.ReplaceAll(string(text), from, to), 0o644)
		}
	}
	for name, forge := range map[string]func(t *testing.T, dir string){
		"to another key": change(twoPublic, thiefPublic),
		"by another key": change(onePublic, thiefPublic),
		"without an end": change("until 2030-01-01T00:00:00Z\n", ""),
		"for longer":     change("until 2030", "until 2031"),
		"of another pack": func(t *testing.T, dir string) {
			put(t, dir, "ambit.json", strings.Replace(manifestText, "words", "verbs", 1), 0o644)
		},
		"another id":     change("id org.example.words", "id org.example.verbs"),
		"more lines":     change("to "+twoPublic, "to "+twoPublic+"\nto "+thiefPublic),
		"no signature":   change("\n\n—", "\n"),
		"something else": func(t *testing.T, dir string) { put(t, dir, pack.HandoverFile, "to "+twoPublic+"\n", 0o644) },
		"twice as long":  change("ambit pack key 1", strings.Repeat("x", 40_000)),
		"a folder": func(t *testing.T, dir string) {
			remove(t, dir, pack.HandoverFile)
			put(t, dir, pack.HandoverFile+"/x", "", 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			handOn(t, dir, one, two, twoPublic, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			forge(t, dir)
			remove(t, dir, pack.SignatureFile)
			p, err := pack.Sign(dir, thief)
			if err == nil && p.Handed(onePublic, time.Now()) {
				t.Error("the thief took over")
			}
			if p, err := pack.Read(dir); err == nil {
				t.Errorf("it is read, and says %+v", p.Handovers)
			}
		})
	}
}
