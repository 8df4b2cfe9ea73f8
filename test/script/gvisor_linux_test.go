package script_test

import (
	"io"
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
