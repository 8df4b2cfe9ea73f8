package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAskLookedAtAndRun: a program that is looked at, read and run is one question
// where the answer was to run it, and another one where it was to read it.
func TestAskLookedAtAndRun(t *testing.T) {
	const script = `test -f tool && test -x tool && grep -c echo tool && ./tool`
	for by, bench := range map[string]func(*testing.T) *bench{"trap": newAskingBench, "notification": newHiddenBench} {
		t.Run("by "+by, func(t *testing.T) {
			b := bench(t)
			tool := b.write("tool", "#!/bin/sh\necho ran\n")
			if err := os.Chmod(tool, 0o755); err != nil {
				t.Fatal(err)
			}
			a := b.ask([]string{"--ask-by", by}, "sh", "-c", script)
			q := b.question(a)
			if q.Question.Capability != "fs.read:"+tool || len(q.Question.Offers) < 2 || q.Question.Offers[1].Scope != "run" {
				t.Errorf("got %+v", q)
			}
			b.run("approvals").want(t, 0, "--scope run", "this program, to read it and to run it")
			b.run("approve", "--scope", "run", q.Question.ID).want(t, 0, "may run "+tool)
			if err := a.Wait(); err != nil || a.out.String() != "1\nran\n" {
				t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
			}
			b.run("audit", "ls").want(t, 0, "1 asked")

			a = b.ask([]string{"--ask-by", by}, "sh", "-c", script)
			b.run("approve", b.question(a).Question.ID).want(t, 0, "may read "+tool)
			q = b.question(a)
			if q.Question.Capability != "process.spawn:"+tool {
				t.Errorf("got %+v", q)
			}
			b.run("deny", q.Question.ID).want(t, 0)
			if err := a.Wait(); err == nil || a.out.String() != "1\n" || !strings.Contains(a.err.String(), filepath.Base(tool)) {
				t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
			}
		})
	}
}
