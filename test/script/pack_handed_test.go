package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPackHandedOn: a pack of another key is an update only where the key before has
// said so, of this pack and of that key, and who updates is told.
func TestPackHandedOn(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const id = "org.example.words"
	keys, public := map[string]string{}, map[string]string{}
	for _, name := range []string{"one.example", "two.example", "thief.example"} {
		keys[name] = filepath.Join(s.dir, name)
		r := s.do("pack", "key", name, keys[name])
		r.want(t, 0)
		public[name] = strings.TrimSpace(r.out)
	}
	dir := s.pack(t, "words", id, "one")
	s.version(t, dir, "1", "one", keys["one.example"])
	s.do("pack", "install", "--yes", dir).want(t, 0)

	// Without a statement, and with one that is about another pack or another key.
	s.version(t, dir, "2", "thief", keys["thief.example"])
	s.do("pack", "update", "--yes", id).want(t, 125, "this is no update of it")
	other := s.pack(t, "other", "org.example.other", "other")
	s.do("pack", "sign", "--key", keys["one.example"], "--hand-on", public["thief.example"], other).want(t, 0, "signed by thief.example")
	statement := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(from, "ambit.keys"))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, "ambit.keys"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	statement(other, dir)
	s.do("pack", "sign", "--key", keys["thief.example"], dir).want(t, 125, "about another pack")
	s.do("pack", "update", "--yes", id).want(t, 125)

	// The key before hands on.
	if err := os.Remove(filepath.Join(dir, "ambit.keys")); err != nil {
		t.Fatal(err)
	}
	s.do("pack", "sign", "--key", keys["one.example"], "--hand-on", public["two.example"], dir).want(t, 0, "It has no signature now")
	s.version(t, dir, "2", "thief", keys["thief.example"]) // who replays the statement
	s.do("pack", "update", "--yes", id).want(t, 125, "this is no update of it")
	s.version(t, dir, "2", "two", keys["two.example"])
	s.do("pack", "update", id).want(t, 125, "there is no terminal to ask at whether that is to be")
	s.do("pack", "prepare", "--json", "--update", id).want(t, 0, `"signer_state": "handed-on"`, `"quiet": false`)
	x := startOn(t, s.as("pack", "update", id), 200, 40)
	x.expect("Take the new key? [y]es, [N]o: ")
	x.typed("n\n")
	x.ends(125)
	s.do("run", "--pack", id).want(t, 0, "it says one")
	x = startOn(t, s.as("pack", "update", id), 200, 40)
	x.expect("signed by another one from now on: it is signed by two.example")
	x.expect("Take the new key? [y]es, [N]o: ")
	x.typed("y\n")
	x.ends(0)
	s.do("run", "--pack", id).want(t, 0, "it says two")

	// From then on the key before signs no more.
	s.version(t, dir, "3", "one", keys["one.example"])
	s.do("pack", "update", "--yes", id).want(t, 125, "this is no update of it")
	s.version(t, dir, "3", "two", keys["two.example"])
	s.do("pack", "update", id).want(t, 0)
	s.do("run", "--pack", id).want(t, 0, "it says two")
	s.do("audit", "verify").want(t, 0)

	// A statement whose time is over says nothing.
	s.do("pack", "rm", id).want(t, 0)
	ended := s.pack(t, "ended", "org.example.ended", "one")
	s.version(t, ended, "1", "one", keys["one.example"])
	s.do("pack", "install", "--yes", ended).want(t, 0)
	s.do("pack", "sign", "--key", keys["one.example"], "--until", "1s", "--hand-on", public["two.example"], ended).want(t, 0)
	s.version(t, ended, "2", "two", keys["two.example"])
	time.Sleep(1100 * time.Millisecond)
	s.do("pack", "update", "--yes", "org.example.ended").want(t, 125, "this is no update of it")
	s.do("pack", "sign", "--key", keys["one.example"], "--until", "1s", ended).want(t, 125, "a signature has no end")
}
