package script_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal with a session of its own on it.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	done   chan struct{} // closed when all output was read

	mu   sync.Mutex
	text strings.Builder // guarded by mu
	from int             // guarded by mu: where the next expect looks
}

// startOn runs a command with a new terminal as its controlling one.
func startOn(t *testing.T, cmd *exec.Cmd, columns, rows uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	// Fd made the file blocking: the reader below then ends with the terminal.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, master: master, cmd: cmd, done: make(chan struct{})}
	go x.read()
	return x
}

func (x *terminal) read() {
	defer close(x.done)
	buf := make([]byte, 4096)
	for {
		n, err := x.master.Read(buf)
		x.mu.Lock()
		x.text.Write(buf[:n])
		x.mu.Unlock()
		if err != nil { // EIO when the last one has closed the terminal
			return
		}
	}
}

func (x *terminal) typed(s string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, s); err != nil {
		x.t.Fatal(err)
	}
}

// expect waits until the terminal shows want, after what was expected before.
func (x *terminal) expect(want string) {
	x.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		x.mu.Lock()
		at := strings.Index(x.text.String()[x.from:], want)
		if at >= 0 {
			x.from += at + len(want)
		}
		x.mu.Unlock()
		if at >= 0 {
			return
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.t.Fatalf("the terminal shows %q, want %q after byte %d", x.text.String(), want, x.from)
}

// ends waits for the command and wants its status.
func (x *terminal) ends(status int) {
	x.t.Helper()
	err := x.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	if got := x.cmd.ProcessState.ExitCode(); got != status {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.t.Fatalf("exit status %d, want %d; the terminal shows %q", got, status, x.text.String())
	}
}

// The terminal inside is the person's own: a terminal, with its size, whose
// changes are seen.
func TestTerminalSize(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--ask", "none", "--", "bash", "-c",
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

// Raw mode and reading a line work; the terminal's settings are left as the
// program left them, which is what happens without ambit.
func TestTerminalInput(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--ask", "none", "--", "python3", "-c",
		`import termios,tty,sys,os
print("line", input("? "))
old = termios.tcgetattr(0); tty.setraw(0); print("raw", flush=True)
c = os.read(0, 1); termios.tcsetattr(0, termios.TCSADRAIN, old); print("key", c, os.isatty(0))`), 80, 24)
	x.expect("? ")
	x.typed("hello\n")
	x.expect("line hello")
	x.expect("raw")
	x.typed("\x03") // no signal in raw mode
	x.expect(`key b'\x03' True`)
	x.ends(0)
}

// Ctrl-C reaches the program once, from the terminal: it decides what it means.
func TestCtrlC(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--ask", "none", "--", "sleep", "60"), 80, 24)
	waitRunning(t, x)
	x.typed("\x03")
	x.ends(130)

	x = startOn(t, b.command("run", "--ask", "none", "--", "bash", "-c", `n=0; trap 'n=$((n+1))' INT; echo ready; until [ $n -gt 0 ]; do sleep 0.05; done; sleep 0.3; echo count $n; exit 7`), 80, 24)
	x.expect("ready")
	x.typed("\x03")
	x.expect("count 1")
	x.ends(7)
}

// waitRunning waits until the program inside has begun: until what the launcher
// made, its init, has made a process.
func waitRunning(t *testing.T, x *terminal) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		for _, init := range childrenOf(t, x.cmd.Process.Pid) {
			if len(childrenOf(t, init)) > 0 {
				time.Sleep(50 * time.Millisecond)
				return
			}
		}
	}
	t.Fatal("the program did not start")
}

// Ctrl-Z stops the job of the person's shell, fg goes on with it, also in the
// background; the shell stays usable.
func TestJobControl(t *testing.T) {
	b := newBench(t)
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", "-i")
	cmd.Dir, cmd.Env = b.dir, append(b.env, "PS1=PROMPT> ")
	x := startOn(t, cmd, 80, 24)
	x.expect("PROMPT> ")
	x.typed("ambit run --ask none -- bash -c 'echo begun; read line; echo got $line; exit 9'\n")
	x.expect("begun\r\n")
	x.typed("\x1a")
	x.expect("Stopped")
	x.expect("PROMPT> ")
	x.typed("jobs\n")
	x.expect("Stopped")
	x.expect("PROMPT> ")
	x.typed("fg\n")
	x.expect("ambit run --ask none")
	x.typed("words\n")
	x.expect("got words")
	x.expect("PROMPT> ")
	x.typed("echo status $?\n")
	x.expect("status 9")
	x.expect("PROMPT> ")
	x.typed("ambit run --ask none -- sh -c 'sleep 0.3; exit 4' & wait $!; echo waited $?\n")
	x.expect("waited 4")
	x.expect("PROMPT> ")
	x.typed("exit\n")
	x.ends(0)
}

// A shell inside has job control of its own, and gives the terminal back.
func TestShellInside(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("run", "--ask", "none", "--env", "PS1=INNER> ", "--", "bash", "--norc", "--noprofile", "-i"), 80, 24)
	x.expect("INNER> ")
	// The job says when it has the terminal, also once it goes on.
	x.typed(`bash -c 'trap "echo went o""n" CONT; echo be""gun; while :; do sleep 0.05; done'` + "\n")
	x.expect("begun\r\n")
	x.typed("\x1a")
	x.expect("Stopped")
	x.expect("INNER> ")
	x.typed("fg\n")
	x.expect("went on\r\n")
	x.typed("\x03")
	x.expect("INNER> ")
	x.typed("echo alive; exit 3\n")
	x.expect("alive")
	x.ends(3)
}
