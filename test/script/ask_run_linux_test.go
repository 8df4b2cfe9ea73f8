package script_test

import (
	"os"
	"strings"
	"testing"
)

// TestAskLookedAtAndRun: a program that is looked at, read and run is one question,
// whose answer lets it be run or only read.
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
			q = b.question(a)
			b.run("approvals").want(t, 0, "--scope file", "only this file, to read it and not to run it")
			b.run("approve", q.Question.ID).want(t, 0, "may read "+tool)
			if err := a.Wait(); err == nil || a.out.String() != "1\n" ||
				!strings.Contains(a.err.String(), "ambit: denied process.spawn:"+tool+" (asked as "+q.Question.ID+" with reading it") {
				t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
			}
			b.run("audit", "ls").want(t, 0, "fs.read 1 allowed 1 asked, process.spawn 1 allowed 1 denied")
		})
	}
}

// TestAskReadNotRun: what may be read and not run is not run by a call that nobody is
// asked about either: one that names it by its descriptor, or could.
func TestAskReadNotRun(t *testing.T) {
	const script = `
import ctypes, os, sys
tool = sys.argv[1].encode()
print(len(open(tool).read()), flush=True)
argv, none = (ctypes.c_char_p * 2)(tool, None), (ctypes.c_char_p * 1)(None)
call = ctypes.CDLL(None, use_errno=True).syscall
for dir, path in ((-100, tool), (os.open(tool, os.O_RDONLY), b""), (os.open(tool, os.O_PATH), b"")):
	call(322 if os.uname().machine == "x86_64" else 281, dir, path, argv, none, 0x1000) # execveat, AT_EMPTY_PATH
	print(os.strerror(ctypes.get_errno()), flush=True)
`
	for by, bench := range map[string]func(*testing.T) *bench{"trap": newAskingBench, "notification": newHiddenBench} {
		t.Run("by "+by, func(t *testing.T) {
			for scope, want := range map[string]string{"file": "19\n" + strings.Repeat("Permission denied\n", 3), "run": "19\nran\n"} {
				b := bench(t)
				tool := b.write("tool", "#!/bin/sh\necho ran\n")
				if err := os.Chmod(tool, 0o755); err != nil {
					t.Fatal(err)
				}
				a := b.ask([]string{"--ask-by", by}, "python3", "-c", script, tool)
				b.run("approve", "--scope", scope, b.question(a).Question.ID).want(t, 0, "may r")
				if err := a.Wait(); err != nil || a.out.String() != want {
					t.Errorf("answered with %s: %v, output %q, errors %q", scope, err, a.out.String(), a.err.String())
				}
			}
		})
	}
}
