package script_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a person does at the keyboard, and what others send, reaches a program that
// has a kernel of its own, to which no signal of the host's comes.

// The terminal is the person's own, with its size and its changes.
func TestGVisorTerminal(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--tier", "gvisor", "--", "bash", "-c",
		`test -t 0 && test -t 1 && test -t 2 && echo three; stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.05; done`), 91, 33)
	x.expect("three")
	x.expect("33 91")
	x.expect("ready")
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 40}); err != nil {
		t.Fatal(err)
	}
	x.expect("40 100")
	x.ends(5)
}

// Ctrl-C reaches what is in the foreground of a shell inside, and the shell itself
// where it waits for it; a job that is stopped goes on.
func TestGVisorShell(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--tier", "gvisor", "--env", "PS1=INNER> ", "--", "bash", "--norc", "--noprofile", "-i"), 80, 24)
	x.expect("INNER> ")
	x.typed("sh -c 'echo be''gun; exec sleep 60'\n")
	x.expect("begun\r\n")
	time.Sleep(300 * time.Millisecond) // until sleep is there
	x.typed("\x03")
	x.expect("INNER> ")
	x.typed("echo status $?\n")
	x.expect("status 130")
	x.expect("INNER> ")
	x.typed("echo alive; exit 3\n")
	x.expect("alive")
	x.ends(3)
}

// What is sent to ambit reaches the program, which chooses its exit status, or
// dies of it.
func TestGVisorSignals(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "USR1": syscall.SIGUSR1} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cmd, out := started(t, b.command("run", "--tier", "gvisor", "--", "bash", "-c", `trap 'echo caught; exit 77' `+name+`; echo ready; while :; do sleep 0.02; done`))
			signal(t, cmd, sig)
			rest, _ := io.ReadAll(out) // it ends with the program
			_ = cmd.Wait()             // its status is looked at
			if !strings.Contains(string(rest), "caught") || cmd.ProcessState.ExitCode() != 77 {
				t.Errorf("exit status %d, printed %q", cmd.ProcessState.ExitCode(), rest)
			}
		})
	}
	b := newBench(t)
	cmd, _ := started(t, b.command("run", "--tier", "gvisor", "--", "sh", "-c", "echo ready; exec sleep 60"))
	signal(t, cmd, syscall.SIGTERM)
	_ = cmd.Wait() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != 128+15 {
		t.Errorf("exit status %d, want 143", got)
	}
}

// What is revoked while the program runs is gone from its view, with what lies in
// it, and what was granted beside it stays.
func TestGVisorRevoked(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(b.dir, name)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte(name+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		b.run("grants", "add", "fs.read:"+dir).want(t, 0)
	}
	x := b.begin("run", "--tier", "gvisor", "--", "sh", "-c",
		`cd "$1"; cat file; while cat "$1/file" >/dev/null 2>&1; do sleep 0.02; done; cat file ../one/file 2>/dev/null; ls "$1" 2>/dev/null; cat "$2/file"; echo over`, "-", filepath.Join(b.dir, "one"), filepath.Join(b.dir, "two"))
	x.until("one")
	var id string
	for line := range strings.Lines(b.run("grants", "ls").out) {
		if strings.Contains(line, filepath.Join(b.dir, "one")) {
			id = strings.Fields(line)[0]
		}
	}
	b.run("grants", "revoke", id).want(t, 0)
	x.until("over")
	x.ends("it goes on")
	lines := slices.DeleteFunc(strings.Split(x.said(), "\n"), func(line string) bool { return strings.Contains(line, "ambit: ") })
	if got := strings.Join(lines, " "); got != "one two over " || !strings.Contains(x.said(), " is taken away (not granted); still open: working directory of ") {
		t.Errorf("it said %q", x.said())
	}
}
