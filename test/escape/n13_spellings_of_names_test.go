package escape_test

import "testing"

// granted is what the sandboxes of N13 may reach: one name, and those below another.
func granted(*field) []string {
	return []string{"--allow", "net.connect:example.test:8080", "--allow", "net.connect:*.wild.test:8080"}
}

func everyName(f *field) {
	f.staged(stage{Names: map[string][]string{"*": {"93.184.215.14"}}, Services: []service{{Name: "server", At: ":8080"}}})
}

func TestN13SpellingsOfNames(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N13", Title: "a name that looks like an allowed one",
		Reference: "suffix and prefix matches of allow lists; CVE-2020-8911's kind of canonical form",
		Tiers:     process,
		Setup:     func(_ *testing.T, f *field) { everyName(f) },
		Flags:     granted,
		Harm: func(f *field) string {
			if all := f.comers(); f.Inside && len(all) > 0 {
				return all[0] + " was reached, or left the machine"
			}
			return f.reached()
		},
	}
	for _, name := range []string{"evil-example.test", "example.test.evil.test", "xexample.test", "example.test0", "wild.test", "evilwild.test", "awild.test",
		"xn--exmple-4nf.test", "www.example.test", "test", "c2VjcmV0LWJ5dGVz.evil.test"} {
		a.Tries = append(a.Tries, try{Name: name, Do: func(f *field) error { return f.dial("tcp4", name+".:8080") }, Want: refused()})
	}
	a.run(t)
}

// The same name in another spelling is the same name.
func TestN13CanonicalForms(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N13", Title: "other spellings of an allowed name",
		Tiers: process,
		Setup: func(_ *testing.T, f *field) { everyName(f) },
		Flags: granted,
	}
	for _, name := range []string{"example.test", "example.test.", "EXAMPLE.Test", "a.wild.test", "a.b.wild.test", "xn--tda.wild.test"} {
		a.Tries = append(a.Tries, try{Name: name, Do: func(f *field) error { return f.dial("tcp4", name+":8080") }, Want: allowed("it is granted")})
	}
	a.run(t)
}
