package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

// TestTouch: what needs no question, since rules or grants say it.
func TestTouch(t *testing.T) {
	for _, tc := range []struct {
		name  string
		wants []string
		touch func(tc *touching) enforce.Touch
		shows string // "" refuses
		says  string
	}{
		{"granted directory", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~/proj", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRead, "proj/a.txt")
		}, "bind proj", ""},
		{"granted glob", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~/proj/*.txt", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRead, "proj/a.txt")
		}, "bind proj/a.txt", ""},
		{"granted for writing, read", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.write:~/proj", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRead, "proj/sub")
		}, "bind proj w", ""},
		{"granted, with a denial inside", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.write:~/proj", grant.Allow, grant.Always)
			tc.store("fs.read:~/proj/sub", grant.Deny, grant.Always)
			return tc.touch(enforce.TouchWrite, "proj/a.txt")
		}, "bind proj w, mask proj/sub", ""},
		{"the state inside", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRead, "notes.txt")
		}, "bind ., mask state", ""},
		{"any program, one is run", nil, func(tc *touching) enforce.Touch {
			tc.store("process.spawn", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRun, "bin/tool")
		}, "bind bin/tool x", ""},
		{"denied", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~/proj", grant.Deny, grant.Always)
			return tc.touch(enforce.TouchRead, "proj/a.txt")
		}, "", "to change it: ambit grants revoke g-"},
		{"forbidden: the state", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~", grant.Allow, grant.Always)
			return tc.touch(enforce.TouchRead, "state/ambit.db")
		}, "", "policy forbids"},
		{"not declared", []string{"fs.read:~/proj"}, func(tc *touching) enforce.Touch {
			return tc.touch(enforce.TouchRead, "notes.txt")
		}, "", "would add fs.read:"},
		{"declared for reading, written", []string{"fs.read:~/proj"}, func(tc *touching) enforce.Touch {
			return tc.touch(enforce.TouchWrite, "proj/a.txt")
		}, "", "would add fs.write:"},
		{"the home", nil, func(tc *touching) enforce.Touch { return tc.touch(enforce.TouchRead, "") }, "", ""},
		{"made in the home", nil, func(tc *touching) enforce.Touch {
			touch := tc.touch(enforce.TouchWrite, "")
			touch.Create = "new"
			return touch
		}, "", "nobody is asked"},
		{"the root", nil, func(tc *touching) enforce.Touch { return tc.touch(enforce.TouchRead, "/") }, "", ""},
		{"the sandbox's own", nil, func(tc *touching) enforce.Touch { return tc.touch(enforce.TouchWrite, "/dev/null") }, "", "sandbox's own"},
		{"another object by now", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~/proj", grant.Allow, grant.Always)
			touch := tc.touch(enforce.TouchRead, "proj/a.txt")
			touch.Ino++
			return touch
		}, "", "is not what was touched"},
		{"a link by now", nil, func(tc *touching) enforce.Touch {
			tc.store("fs.read:~/proj", grant.Allow, grant.Always)
			touch := tc.touch(enforce.TouchRead, "proj/a.txt")
			if err := errors.Join(os.Rename(touch.Path, touch.Path+"2"), os.Symlink(touch.Path+"2", touch.Path)); err != nil {
				tc.t.Fatal(err)
			}
			return touch
		}, "", "is not what was touched"},
		{"a kind that nobody knows", nil, func(tc *touching) enforce.Touch { return tc.touch("peek", "proj/a.txt") }, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := newTouching(t, &person{answer: yes(0, grant.Always)}, time.Minute, tc.wants...)
			a := to.Touched(t.Context(), tc.touch(to))
			if got := to.shows(a); a.Allow != (tc.shows != "") || got != tc.shows {
				t.Errorf("got %v %q, want %q; said %s", a.Allow, got, tc.shows, to.said())
			}
			if n := to.p.asked.Load(); n != 0 {
				t.Errorf("%d questions", n)
			}
			if said := to.said(); tc.says == "" && said != "" || !strings.Contains(said, tc.says) {
				t.Errorf("said %q, want %q", said, tc.says)
			}
			if n := len(to.records(audit.Decision)) + len(to.records(audit.Denial)); n < 1 || n > 2 {
				t.Errorf("%d records", n)
			}
		})
	}
}

// TestTouchAsks: a person's answer becomes a grant, and the gate allows by it.
func TestTouchAsks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(approval.Question) approval.Answer
		shows  string // "" refuses
		stored string
	}{
		{"the file, once", yes(0, grant.Once), "bind proj/a.txt", "allow fs.read:HOME/proj/a.txt session s-test"},
		{"the directory, always", yes(1, grant.Always), "bind proj", "allow fs.read:HOME/proj always"},
		{"no, once", no(grant.Once), "", ""},
		{"no, for the session", no(grant.Session), "", "deny fs.read:HOME/proj/a.txt session s-test"},
		{"never", no(grant.Always), "", "deny fs.read:HOME/proj/a.txt always"},
		{"nobody", nil, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			patience := time.Minute
			if tc.answer == nil {
				patience = 300 * time.Millisecond // nobody answers
			}
			to := newTouching(t, &person{answer: tc.answer}, patience)
			a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/a.txt"))
			if got := to.shows(a); got != tc.shows || a.Allow != (tc.shows != "") {
				t.Errorf("got %q; said %s", got, to.said())
			}
			var stored []string
			for _, g := range to.stored() {
				if g.Origin != byAsking || !strings.HasPrefix(g.Reason, "answer to d-") {
					t.Errorf("got %+v", g)
				}
				stored = append(stored, strings.ReplaceAll(g.Outcome.String()+" "+g.Capability.String()+" "+g.Lifespan.String(), to.home, "HOME"))
			}
			if got := strings.Join(stored, "; "); got != tc.stored {
				t.Errorf("stored %q, want %q", got, tc.stored)
			}
			// Ask, then a decision of its own: that is what counts.
			decisions := to.records(audit.Decision)
			var outcomes []string
			for _, r := range decisions {
				body, err := r.Decode()
				if err != nil {
					t.Fatal(err)
				}
				outcomes = append(outcomes, body.(*audit.DecisionBody).Outcome)
			}
			if want := []string{"ask", map[bool]string{true: "allow", false: "deny"}[tc.shows != ""]}; !slices.Equal(outcomes, want) {
				t.Errorf("decided %q, want %q", outcomes, want)
			}
			if n := len(to.records(audit.GrantAdd)); n != len(stored) {
				t.Errorf("%d records of grants", n)
			}
			// The program tries again: no question, and of a denial no record.
			before := len(decisions)
			again := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/a.txt"))
			if again.Allow != a.Allow || to.p.asked.Load() != 1 || !a.Allow && len(to.records(audit.Decision)) != before {
				t.Errorf("again: %v, %d questions, %d decisions", again.Allow, to.p.asked.Load(), len(to.records(audit.Decision)))
			}
			if !a.Allow && strings.Count(to.said(), "ambit: denied") != 1 {
				t.Errorf("said %q", to.said())
			}
		})
	}
}

// What was refused and is granted later is there at the next touch.
func TestTouchGrantedLater(t *testing.T) {
	to := newTouching(t, &person{answer: no(grant.Once)}, time.Minute)
	touch := to.touch(enforce.TouchRead, "proj/a.txt")
	if a := to.Touched(t.Context(), touch); a.Allow {
		t.Fatal("allowed")
	}
	g := to.store("fs.read:~/proj/a.txt", grant.Allow, grant.Once)
	if a := to.Touched(t.Context(), touch); !a.Allow || to.p.asked.Load() != 1 {
		t.Errorf("allowed %v, %d questions; said %s", a.Allow, to.p.asked.Load(), to.said())
	}
	// It was used up in the store; this session goes on having it.
	if slices.ContainsFunc(to.stored(), func(s grant.Grant) bool { return s.ID == g.ID }) {
		t.Error("a grant for once is still there")
	}
	if a := to.Touched(t.Context(), touch); !a.Allow {
		t.Error("the session lost what it was given")
	}
	other := newToucherBeside(to)
	if a := other.Touched(t.Context(), touch); a.Allow {
		t.Error("another session has it too")
	}
}

// newToucherBeside is another session over the same store and log.
func newToucherBeside(to *touching) *toucher {
	s := *to.s
	s.subject.Session = "s-other"
	s.flags = &runFlags{ask: askQueue}
	return s.newToucher(&session.Tally{}, func(func()) {})
}

// TestTouchOffers: what may be granted in answer.
func TestTouchOffers(t *testing.T) {
	for _, tc := range []struct {
		name      string
		wants     []string
		touch     func(to *touching) enforce.Touch
		offers    string
		sensitive string
	}{
		{"a file", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/a.txt") },
			"file fs.read:HOME/proj/a.txt, dir fs.read:HOME/proj", ""},
		{"a file of the home", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchWrite, "notes.txt") },
			"file fs.write:HOME/notes.txt", ""},
		{"a directory", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/sub") },
			"dir fs.read:HOME/proj/sub", ""},
		{"a name in a directory", nil, func(to *touching) enforce.Touch {
			touch := to.touch(enforce.TouchWrite, "proj")
			touch.Create = "new"
			return touch
		}, "dir fs.write:HOME/proj", ""},
		{"a program", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRun, "bin/tool") },
			"file process.spawn:HOME/bin/tool, dir process.spawn:HOME/bin", ""},
		{"a program that is looked at", nil, func(to *touching) enforce.Touch { return to.script("bin/script") },
			"file fs.read:HOME/bin/script, run process.spawn:HOME/bin/script, dir fs.read:HOME/bin", ""},
		{"a program that no manifest lets be run", []string{"fs.read:~/bin"}, func(to *touching) enforce.Touch { return to.script("bin/script") },
			"file fs.read:HOME/bin/script, dir fs.read:HOME/bin", ""},
		{"a program among keys", nil, func(to *touching) enforce.Touch { return to.script(".ssh/script") },
			"file fs.read:HOME/.ssh/script broad", "SSH keys"},
		{"a key", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, ".ssh/id_rsa") },
			"file fs.read:HOME/.ssh/id_rsa broad", "SSH keys"},
		{"the keys", nil, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, ".ssh") },
			"dir fs.read:HOME/.ssh broad", "SSH keys"},
		{"declared, and wider", []string{"fs.read:~/proj"}, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/sub") },
			"dir fs.read:HOME/proj/sub, declared fs.read:HOME/proj", ""},
		{"declared just so", []string{"fs.read:~/proj/a.txt"}, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/a.txt") },
			"file fs.read:HOME/proj/a.txt", ""},
		{"declared by a glob", []string{"fs.read:~/proj/*.txt"}, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/a.txt") },
			"file fs.read:HOME/proj/a.txt, declared fs.read:HOME/proj/*.txt", ""},
		{"declared for writing", []string{"fs.write:~/proj"}, func(to *touching) enforce.Touch { return to.touch(enforce.TouchRead, "proj/a.txt") },
			"file fs.read:HOME/proj/a.txt, dir fs.read:HOME/proj, declared fs.write:HOME/proj broad", ""},
		{"beside a denial that cannot be kept closed", nil, func(to *touching) enforce.Touch {
			to.store("fs.write:~/proj/.git", grant.Deny, grant.Always) // not there yet
			return to.touch(enforce.TouchWrite, "proj/a.txt")
		}, "file fs.write:HOME/proj/a.txt", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := newTouching(t, &person{answer: no(grant.Once)}, time.Minute, tc.wants...)
			to.Touched(t.Context(), tc.touch(to))
			q := to.p.last.Load()
			if q == nil {
				t.Fatalf("nobody was asked; said %s", to.said())
			}
			var offers []string
			for _, o := range q.Offers {
				text := string(o.Scope) + " " + o.Capability.String()
				if o.Broad {
					text += " broad"
				}
				if o.Words == "" || strings.Contains(o.Words, "\n") {
					t.Errorf("words %q", o.Words)
				}
				offers = append(offers, text)
			}
			if got := strings.ReplaceAll(strings.Join(offers, ", "), to.home, "HOME"); got != tc.offers || q.Sensitive != tc.sensitive {
				t.Errorf("got %q, sensitive %q, want %q, %q", got, q.Sensitive, tc.offers, tc.sensitive)
			}
			if reason := map[bool]string{true: "because"}[len(tc.wants) > 0]; q.Reason != reason || q.PID != 7 || q.Program != "cat" {
				t.Errorf("got %+v", q)
			}
		})
	}
}

// What cannot be kept closed inside is denied without a question.
func TestTouchCannot(t *testing.T) {
	to := newTouching(t, &person{answer: yes(0, grant.Always)}, time.Minute)
	to.store("fs.write:~/proj/.git", grant.Deny, grant.Always) // not there yet
	touch := to.touch(enforce.TouchWrite, "proj")
	touch.Create = "new"
	if a := to.Touched(t.Context(), touch); a.Allow || to.p.asked.Load() != 0 || !strings.Contains(to.said(), "does not exist yet") {
		t.Errorf("allowed %v, %d questions, said %q", a.Allow, to.p.asked.Load(), to.said())
	}
}

// The object is replaced while a person thinks: what they saw is granted, what
// lies there now is not shown.
func TestTouchReplacedMeanwhile(t *testing.T) {
	p := &person{}
	to := newTouching(t, p, time.Minute)
	path := filepath.Join(to.home, "proj", "a.txt")
	p.answer = func(q approval.Question) approval.Answer {
		if err := errors.Join(os.Rename(path, path+".old"), os.Symlink(filepath.Join(to.home, ".ssh", "id_rsa"), path)); err != nil {
			t.Error(err)
		}
		return yes(0, grant.Once)(q)
	}
	if a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/a.txt")); a.Allow {
		t.Errorf("shows %s", to.shows(a))
	}
}

// A log that cannot be written refuses, whatever the person says.
func TestTouchUnrecorded(t *testing.T) {
	to := newTouching(t, &person{answer: yes(0, grant.Always)}, time.Minute)
	l, err := to.s.log.get()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/a.txt")); a.Allow || len(to.stored()) != 0 {
		t.Errorf("allowed %v, stored %+v", a.Allow, to.stored())
	}
}

// What was given until the end of the program is taken back then.
func TestTouchEnd(t *testing.T) {
	to := newTouching(t, &person{answer: yes(0, grant.Session)}, time.Minute)
	if a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/a.txt")); !a.Allow {
		t.Fatal(to.said())
	}
	if len(to.shown()) != 1 {
		t.Errorf("shown: %v", to.shown())
	}
	to.p.answer = yes(0, grant.Always)
	if a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/b.txt")); !a.Allow {
		t.Fatal(to.said())
	}
	for c := range to.shown() {
		to.forget(c)
	}
	if len(to.shown()) != 0 {
		t.Errorf("still shown: %v", to.shown())
	}
	if err := to.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := to.stored(); len(all) != 1 || all[0].Lifespan.Span != grant.Always {
		t.Errorf("left: %+v", all)
	}
	if n := len(to.records(audit.GrantRevoke)); n != 1 {
		t.Errorf("%d records of revocation", n)
	}
}

// BenchmarkTouched is what a first touch of something granted costs before it
// is attached: mostly the wait for its record to be durable.
func BenchmarkTouched(b *testing.B) {
	to := newTouching(b, &person{}, time.Minute)
	to.store("fs.read:~/proj/*.txt", grant.Allow, grant.Always)
	touch := to.touch(enforce.TouchRead, "proj/a.txt")
	for b.Loop() {
		if a := to.Touched(b.Context(), touch); !a.Allow {
			b.Fatal(to.said())
		}
	}
}
