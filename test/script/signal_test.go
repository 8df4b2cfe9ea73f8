package script_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is sent to ambit reaches the program, which may take its time and choose
// its exit status.
func TestSignalsReachTheProgram(t *testing.T) {
	asks := []string{"run", "--ask", "queue", "--ask-timeout", "0", "--"}
	if !opensDevice("/dev/fuse") {
		asks = slices.Insert(asks, 1, "--ask-by", "notification")
	}
	for _, tc := range []struct {
		name   string
		signal syscall.Signal
	}{{"TERM", syscall.SIGTERM}, {"INT", syscall.SIGINT}, {"HUP", syscall.SIGHUP}, {"USR1", syscall.SIGUSR1}, {"USR2", syscall.SIGUSR2}, {"QUIT", syscall.SIGQUIT}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			// Where the folder that a program begins in was asked about, signals were
			// caught for that before.
			for _, flags := range [][]string{{"run", "--"}, asks} {
				cmd, out := started(t, b.command(append(slices.Clip(flags), "bash", "-c", `trap 'echo caught; exit 77' `+tc.name+`; echo ready; while :; do sleep 0.02; done`)...))
				signal(t, cmd, tc.signal)
				rest, _ := io.ReadAll(out)
				_ = cmd.Wait()
				if !strings.Contains(string(rest), "caught") || cmd.ProcessState.ExitCode() != 77 {
					t.Errorf("%q: exit status %d, printed %q", flags, cmd.ProcessState.ExitCode(), rest)
				}
			}
		})
	}
}

// started starts a command and waits for the line "ready".
func started(t *testing.T, cmd *exec.Cmd) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("the program did not get ready: %v", err)
		}
		if line == "ready\n" {
			return cmd, out
		}
	}
}

func signal(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// A program that does not handle the signal dies of it.
func TestSignalEndsTheProgram(t *testing.T) {
	b := newBench(t)
	cmd, _ := started(t, b.command("run", "--", "sh", "-c", "echo ready; exec sleep 60"))
	time.Sleep(20 * time.Millisecond) // until sleep is there
	signal(t, cmd, syscall.SIGTERM)
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 128+15 {
		t.Errorf("exit status %d, want 143", got)
	}
}

// One that ignores it is killed after a grace time.
func TestIgnoredSignal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now()
	cmd, _ := started(t, b.command("run", "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"))
	signal(t, cmd, syscall.SIGTERM)
	_ = cmd.Wait()
	if got, took := cmd.ProcessState.ExitCode(), time.Since(begin); got != 128+9 || took > patience {
		t.Errorf("exit status %d after %s, want 137 within a minute", got, took)
	}
}

// Killing ambit leaves nothing behind: neither the program nor what it started.
func TestKilledLauncher(t *testing.T) {
	b := newBench(t)
	mark := "ambit-" + strings.ReplaceAll(t.TempDir(), "/", "-")
	cmd, _ := started(t, b.command("run", "--", "bash", "-c",
		`(exec -a "$0" sleep 61) & (trap '' TERM HUP INT; exec -a "$0" sleep 62) & setsid bash -c 'exec -a "$0" sleep 63' "$0" & sleep 0.2; echo ready; exec -a "$0" sleep 64`, mark))
	for began := 0; began < 4; time.Sleep(5 * time.Millisecond) {
		began = len(processes(t, mark)) // the last one becomes what it is after it said so
	}
	signal(t, cmd, syscall.SIGKILL)
	_ = cmd.Wait()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := processes(t, mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running: %q", left)
		}
	}
}

// processes are the command lines that have mark in them, our own apart.
func processes(t *testing.T, mark string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), mark) && strings.Contains(string(line), "\x006") {
			found = append(found, string(line))
		}
	}
	return found
}
