package escape_test

import (
	"os"
	"strings"
	"testing"
)

// gvisorAsks is a field whose first touches are questions, in the gVisor tier.
func gvisorAsks(t *testing.T) *field {
	t.Helper()
	if os.Getenv("AMBIT_GUEST") != "" {
		t.Skip("requires: a strong tier")
	}
	if !trapOpens() {
		t.Skip("requires: /dev/fuse that this user can open")
	}
	f := newFieldIn(t, hiddenDir(t))
	f.tier = tierGVisor
	f.flags = append(f.flags, "--ask", "queue", "--home", "ephemeral")
	for _, v := range f.variables() {
		f.flags = append(f.flags, "--env", v)
	}
	return f
}

// In the gVisor tier a person is asked by the same commands: a yes lets that very call
// go on, and is asked for once; a no is a denial with its line; what was answered and is
// taken back is hidden again, so that the next touch asks, and the session goes on.
func TestGVisorAsks(t *testing.T) {
	t.Parallel()
	f := gvisorAsks(t)
	f.put(t, f.Outside+"/other", "other\n")
	s := f.begin(t, `echo ready; cat "$CANARY"; cat "$CANARY" >/dev/null && echo again; cat "$OUTSIDE/absent"; cat "$OUTSIDE/other"; echo refused; while cat "$CANARY" >/dev/null 2>&1; do sleep 0.2; done; echo hidden`)
	q := f.asked(t)
	if strings.Contains(s.out.String(), f.token) {
		t.Error("it was read before the answer")
	}
	f.answered(t, "approve", q.ID)
	other := f.asked(t, q)
	f.answered(t, "deny", other.ID)
	said := func(words string) func() bool {
		return func() bool { return strings.Contains(s.out.String(), words) }
	}
	if !f.within(longest, said("refused\n")) || !f.within(longest, said("denied fs.read:"+f.Outside+"/other")) {
		t.Fatalf("it does not go on, or nobody says what was denied: %s", s.out)
	}
	out := s.out.String()
	for _, want := range []string{f.token, "again\n", "absent: No such file", "Permission denied"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if strings.Contains(out, "\nother\n") {
		t.Errorf("what was refused was read: %s", out)
	}
	var given string
	for line := range strings.Lines(f.answered(t, "grants", "ls")) {
		if word, _, _ := strings.Cut(line, " "); strings.HasPrefix(word, "g-") {
			given = word
			if strings.Contains(line, f.Canary) {
				break
			}
		}
	}
	if out, status := f.person(t, "grants", "revoke", given); status != 0 {
		t.Errorf("revoke %q: %d %s", given, status, out)
	}
	f.answered(t, "deny", f.asked(t, q, other).ID)
	if err := s.cmd.Wait(); err != nil || !strings.Contains(s.out.String(), "hidden\n") {
		t.Errorf("it does not go on without it: %v %s", err, s.out)
	}
	f.nothingLeft(t)
}

// Where whoever looks after the session is killed while a question waits, nothing of
// it is left, the question cannot be answered, and nothing was read.
func TestGVisorAsksKilled(t *testing.T) {
	t.Parallel()
	f := gvisorAsks(t)
	s := f.begin(t, `echo ready; cat "$CANARY"; echo went on`)
	q := f.asked(t)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.nothingLeft(t)
	_ = s.cmd.Wait() // killed
	if strings.Contains(s.out.String(), f.token) {
		t.Errorf("the canary was read: %s", s.out)
	}
	if out, status := f.person(t, "approve", q.ID); status != 125 || !strings.Contains(out, "withdrawn") {
		t.Errorf("it can still be answered: %d %s", status, out)
	}
}

// In the gVisor tier a change and a start wait, too: with a yes they are made, with a no nothing
// is, and of what was put at the name while the question waited nothing is either.
func TestGVisorAsksChange(t *testing.T) {
	t.Parallel()
	const change, start = `sh -c 'echo changed >> "$ASKED"'`, `"$ASKED" >/dev/null && echo ran >> "$ASKED"`
	for name, c := range map[string]struct {
		attempt, answer string
		replace         bool
		made            bool
	}{
		"changed":           {change, "approve", false, true},
		"denied":            {change, "deny", false, false},
		"replaced":          {change, "approve", true, false},
		"start, denied":     {start, "deny", false, false},
		"start of another":  {start, "approve", true, false},
		"removed":           {`rm "$ASKED"`, "approve", false, true},
		"removed, denied":   {`rm "$ASKED"`, "deny", false, false},
		"truncated, denied": {`sh -c ': > "$ASKED"'`, "deny", false, false},
		"renamed, denied":   {`mv "$ASKED" "$ASKED.new"`, "deny", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := gvisorAsks(t)
			asked, other, text := f.Outside+"/asked", f.Outside+"/other", "#!/bin/sh\necho asked\n"
			for _, p := range []string{asked, other} {
				f.put(t, p, text)
				if err := os.Chmod(p, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			f.flags = append(f.flags, "--env", "ASKED="+asked)
			s := f.begin(t, "echo ready; "+c.attempt+"; echo went on")
			q := f.asked(t)
			if c.replace {
				if err := firstError(os.Rename(asked, f.Outside+"/was"), os.Symlink(other, asked)); err != nil {
					t.Fatal(err)
				}
			}
			if out, status := f.person(t, c.answer, q.ID); status != 0 {
				t.Errorf("%s: %d %s", c.answer, status, out)
			}
			rest := c.answer
			if c.replace {
				rest = "deny" // is about what was put there
			}
			over := func() bool {
				for _, q := range f.questions(t) {
					f.person(t, rest, q.ID)
				}
				return strings.Contains(s.out.String(), "went on\n")
			}
			if !f.within(longest, over) {
				t.Errorf("it did not go on: %s", s.out)
			}
			_ = s.cmd.Wait() // what it tried may have failed
			at := asked
			if c.replace {
				at = f.Outside + "/was"
			}
			is, err := os.ReadFile(at)
			if made := err != nil || string(is) != text; made != c.made {
				t.Errorf("changed is %v: %q %v; %s", made, is, err, s.out)
			}
			if is, err := os.ReadFile(other); err != nil || string(is) != text {
				t.Errorf("another one was changed: %q %v", is, err)
			}
			f.nothingLeft(t)
		})
	}
}

// In the gVisor tier a question about reading says which program asks, and goes with it: one that
// is killed inside ends at once. Ten that ask for the same are one question.
// What was put at the name while it waits is not read, and after a no nothing is.
func TestGVisorAsksRead(t *testing.T) {
	t.Parallel()
	const ask = `cat "$ASKED" & `
	for name, c := range map[string]struct {
		script, answer string
		replace        bool
		read           int
	}{
		"answered":      {ask + `wait`, "approve", false, 1},
		"ten at once":   {`for i in 0 1 2 3 4 5 6 7 8 9; do cat "$ASKED" & done; wait`, "approve", false, 10},
		"denied":        {ask + `wait`, "deny", false, 0},
		"replaced":      {ask + `wait`, "approve", true, 0},
		"killed inside": {ask + `until [ -e "$WORK/go" ]; do sleep 0.1; done; kill -9 $!; wait`, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := gvisorAsks(t)
			asked, other := f.Outside+"/asked", f.Outside+"/other"
			f.put(t, asked, "asked\n")
			f.put(t, other, "other\n")
			f.flags = append(f.flags, "--env", "ASKED="+asked)
			s := f.begin(t, "echo ready; "+c.script+"; echo went on")
			q := f.asked(t)
			if !strings.HasPrefix(q.Program, "cat (process ") {
				t.Errorf("asked by %q", q.Program)
			}
			if c.replace {
				if err := firstError(os.Rename(asked, f.Outside+"/was"), os.Symlink(other, asked)); err != nil {
					t.Fatal(err)
				}
			}
			if c.answer != "" {
				f.answered(t, c.answer, q.ID)
			} else {
				f.put(t, f.Work+"/go", "")
			}
			over := func() bool {
				for _, more := range f.questions(t) {
					if more.ID != q.ID && !c.replace {
						t.Errorf("another question: %+v", more)
					}
					if more.ID != q.ID {
						f.person(t, "deny", more.ID) // is about what was put there
					}
				}
				return strings.Contains(s.out.String(), "went on\n")
			}
			if !f.within(longest, over) {
				t.Errorf("it did not go on: %s", s.out)
			}
			if c.answer == "" && !f.within(longest, func() bool { return len(f.questions(t)) == 0 }) {
				t.Error("its question waits still")
			}
			_ = s.cmd.Wait() // what it tried may have failed
			if out := s.out.String(); strings.Count(out, "asked\n") != c.read || strings.Contains(out, "other\n") {
				t.Errorf("it read %s", out)
			}
			f.nothingLeft(t)
		})
	}
}
