package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a session writes is kept where somebody wants it, and goes where it went.
func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("run", "--keep-output", "--ask", "none", "--", "sh", "-c", `echo out; echo err >&2; printf '\033[31mred'; exit 3`)
	if got.status != 3 || got.out != "out\n\x1b[31mred" || got.err != "err\n" {
		t.Errorf("got %+v", got)
	}
	state := filepath.Join(filepath.Dir(b.dir), "state")
	files, err := os.ReadDir(filepath.Join(state, "output"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	id := files[0].Name()
	if got := b.run("logs", id); got.status != 0 || !strings.Contains(got.out, "out\n") || !strings.Contains(got.out, "err\n") || !strings.Contains(got.out, "\x1b[31mred") {
		t.Errorf("got %+v", got)
	}
	// On a terminal it does not become the program's.
	x := b.onTerminal("logs", id)
	x.expect(`\x1b[31mred`)
	x.ends(0)
	x = b.onTerminal("logs", "--raw", id)
	x.expect("\x1b[31mred")
	x.ends(0)
	b.run("logs", "--rm", id).want(t, 0)
	b.run("logs", id).want(t, 125, "nothing that the session", "is kept")
	b.run("logs", "../state").want(t, 125, "is no session")
}

// Who attaches sees what comes from then on, and how it ends.
func TestAttach(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.listed(b.command("run", "--keep-output", "--ask", "none", "-v", b.dir+":/out:rw", "--", "sh", "-c",
		`echo before; echo > /out/ready; while ! test -e /out/go; do sleep 0.05; done; while ! test -e /out/stop; do echo after; sleep 0.05; done; echo last; exit 9`))
	follows := b.onTerminal("logs", "--follow", id)
	follows.expect("before")
	x := b.onTerminal("attach", id)
	b.write("go", "")
	x.expect("after")
	b.write("stop", "")
	x.expect("last")
	x.ends(9)
	follows.expect("after")
	follows.expect("last")
	follows.ends(0)
	if strings.Contains(x.shown(), "before") {
		t.Errorf("it shows what was before: %q", x.shown())
	}
	b.run("attach", id).want(t, 125, "does not run any more")
	id, _ = b.listed(b.command("run", "--ask", "none", "-v", b.dir+":/out:rw", "--", "sleep", "1000"))
	b.run("attach", id).want(t, 125, "`ambit run --keep-output` keeps it")
}
