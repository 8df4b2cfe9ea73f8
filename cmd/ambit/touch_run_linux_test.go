package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
)

// script is a look at a program, which is made.
func (tc *touching) script(name string) enforce.Touch {
	tc.t.Helper()
	if err := os.WriteFile(filepath.Join(tc.home, name), []byte("#!/bin/sh\necho ran\n"), 0o755); err != nil {
		tc.t.Fatal(err)
	}
	return tc.touch(enforce.TouchRead, name)
}

// TestTouchLookedAtAndRun: a program that is looked at and then run is one question,
// unless the answer was about more than that program. An answer to read it alone, as
// a no, lets nobody run it; a grant that is made later does.
func TestTouchLookedAtAndRun(t *testing.T) {
	for _, tc := range []struct {
		name        string
		answers     []func(approval.Question) approval.Answer // in turn
		looked, run string                                    // what is shown; "" refuses
		asked       int32
		stored      string
	}{
		{"for both", []func(approval.Question) approval.Answer{yes(1, grant.Always)}, "bind bin/script x", "bind bin/script x", 1,
			"allow process.spawn:HOME/bin/script"},
		{"to read it", []func(approval.Question) approval.Answer{yes(0, grant.Always)}, "bind bin/script", "", 1,
			"allow fs.read:HOME/bin/script"},
		{"not at all", []func(approval.Question) approval.Answer{no(grant.Session)}, "", "", 1,
			"deny fs.read:HOME/bin/script"},
		{"to read its directory, and to run it", []func(approval.Question) approval.Answer{yes(2, grant.Session), yes(0, grant.Session)}, "bind bin", "bind bin/script x", 2,
			"allow fs.read:HOME/bin; allow process.spawn:HOME/bin/script"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := 0
			to := newTouching(t, &person{answer: func(q approval.Question) approval.Answer {
				n++
				return tc.answers[n-1](q)
			}}, time.Minute)
			look := to.script("bin/script")
			run := look
			run.Kind = enforce.TouchRun
			for _, step := range []struct {
				touch enforce.Touch
				want  string
			}{{look, tc.looked}, {run, tc.run}} {
				a := to.Touched(t.Context(), step.touch)
				got, _, _ := strings.Cut(to.shows(a), ", ") // then its interpreter and loader
				if got != step.want || a.Allow != (step.want != "") {
					t.Errorf("%s: got %q, want %q; said %s", step.touch.Kind, got, step.want, to.said())
				}
			}
			if got := to.p.asked.Load(); got != tc.asked {
				t.Errorf("%d questions, want %d", got, tc.asked)
			}
			var stored []string
			for _, g := range to.stored() {
				stored = append(stored, g.Outcome.String()+" "+strings.ReplaceAll(g.Capability.String(), to.home, "HOME"))
			}
			if got := strings.Join(stored, "; "); got != tc.stored {
				t.Errorf("stored %q, want %q", got, tc.stored)
			}
			if tc.run != "" {
				return
			}
			if said := to.said(); strings.Count(said, "denied process.spawn:") != 1 || !strings.Contains(said, "with reading it") {
				t.Errorf("said %s", said)
			}
			to.store("process.spawn:~/bin/script", grant.Allow, grant.Always)
			if a := to.Touched(t.Context(), run); !a.Allow || to.p.asked.Load() != tc.asked {
				t.Errorf("granted since: allowed %v, %d questions; said %s", a.Allow, to.p.asked.Load(), to.said())
			}
		})
	}
}

// TestTouchMayRun: what may be run may be looked at without a question, which is
// recorded as what it is.
func TestTouchMayRun(t *testing.T) {
	to := newTouching(t, &person{answer: no(grant.Once)}, time.Minute)
	look := to.script("bin/script")
	to.store("process.spawn:~/bin/*", grant.Allow, grant.Always)
	if a := to.Touched(t.Context(), look); !strings.HasPrefix(to.shows(a), "bind bin/script x") || to.p.asked.Load() != 0 {
		t.Errorf("got %q, %d questions; said %s", to.shows(a), to.p.asked.Load(), to.said())
	}
	var decided []string
	for _, r := range to.records(audit.Decision) {
		body, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		d := body.(*audit.DecisionBody)
		decided = append(decided, d.Outcome+" "+strings.ReplaceAll(string(d.Capability), to.home, "HOME"))
	}
	if got := strings.Join(decided, "; "); got != "ask fs.read:HOME/bin/script; allow process.spawn:HOME/bin/script" {
		t.Errorf("recorded %q", got)
	}
	// A file that is no program is not run, whatever may be.
	if a := to.Touched(t.Context(), to.touch(enforce.TouchRead, "bin/tool")); a.Allow || to.p.asked.Load() != 1 {
		t.Errorf("no program: allowed %v, %d questions", a.Allow, to.p.asked.Load())
	}
	// A denial of reading stands over it.
	other := newTouching(t, &person{answer: no(grant.Once)}, time.Minute)
	look = other.script("bin/script")
	other.store("process.spawn:~/bin/script", grant.Allow, grant.Always)
	other.store("fs.read:~/bin/script", grant.Deny, grant.Always)
	if a := other.Touched(t.Context(), look); a.Allow || other.p.asked.Load() != 0 {
		t.Errorf("denied reading: allowed %v, %d questions", a.Allow, other.p.asked.Load())
	}
}
