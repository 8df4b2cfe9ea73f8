package script_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// onTerminal starts ambit on a terminal that can place text.
func (b *bench) onTerminal(args ...string) *terminal {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	return startOn(b.t, cmd, 100, 30)
}

// asked waits until a question is on the terminal, with what it is about, and
// until keys count.
func (x *terminal) asked(about string) {
	x.t.Helper()
	x.expect("may this program do that?")
	x.expect(about)
	x.expect("Or elsewhere: ambit approve d-")
	time.Sleep(800 * time.Millisecond)
}

// answers presses keys as a person does.
func (x *terminal) answers(keys ...string) {
	x.t.Helper()
	for _, k := range keys {
		x.typed(k)
		time.Sleep(200 * time.Millisecond)
	}
}

// TestAskOnTerminal: the person at the terminal is asked by default, and the
// very call goes on.
func TestAskOnTerminal(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	b.write("proj/b.txt", "content of b\n")
	a := filepath.Join(b.dir, "proj/a.txt")

	x := b.onTerminal("run", "--", "sh", "-c", "cat proj/a.txt; cat proj/a.txt; cat proj/b.txt; exit 3")
	x.asked("read " + a)
	x.answers("s", "\r")
	x.expect("content of a")
	x.expect("content of a") // asks no more
	x.asked("read " + filepath.Join(b.dir, "proj/b.txt"))
	x.answers("n")
	x.expect("denied fs.read:" + filepath.Join(b.dir, "proj/b.txt") + " (refused: terminal)")
	x.ends(3)
	b.run("grants", "ls").want(t, 0)

	// What is stored holds for the next run, which asks nothing.
	x = b.onTerminal("run", "--", "cat", "proj/a.txt")
	x.asked("read " + a)
	x.answers("\t", "a", "\r")
	x.expect("content of a")
	x.ends(0)
	b.run("grants", "ls").want(t, 0, "fs.read:"+filepath.Dir(a), "asked")
	x = b.onTerminal("run", "--", "cat", "proj/a.txt", "proj/b.txt")
	x.expect("content of a")
	x.expect("content of b")
	x.ends(0)
}

// TestAskedElsewhere: a question on the terminal is in the list too, and goes
// away when it is answered there.
func TestAskedElsewhere(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	x := b.onTerminal("run", "--", "cat", "proj/a.txt")
	x.asked("proj/a.txt")
	q := b.question(&asking{})
	b.run("approve", q.Question.ID).want(t, 0, "Allowed")
	x.expect("\x1b[?1049l")
	x.expect("content of a")
	x.ends(0)
}

// TestAskInterrupt: Ctrl-C at a question is a no, and reaches the program.
func TestAskInterrupt(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	x := b.onTerminal("run", "--", "sh", "-c", "cat proj/a.txt; sleep 60")
	x.asked("proj/a.txt")
	x.answers("\x03")
	x.ends(130)
}

// TestAskInFullScreen: questions in the middle of an editor, and of a pager.
func TestAskInFullScreen(t *testing.T) {
	for name, c := range map[string]struct {
		argv      []string
		next, end string // what is typed
	}{
		"vim":  {[]string{"vim", "-u", "NONE", "-N", "-n", "-i", "NONE", "proj/a.txt"}, ":e proj/b.txt\r", ":q!\r"},
		"less": {[]string{"less", "proj/a.txt"}, ":e proj/b.txt\r", "q"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("requires: %s (%v)", name, err)
			}
			t.Parallel()
			b := newAskingBench(t)
			b.write("proj/a.txt", "content of a\n")
			b.write("proj/b.txt", "something else\n") // an editor writes only the letters that differ
			x := b.onTerminal(append([]string{"run", "--env", "LESSHISTFILE=-", "--"}, c.argv...)...)
			b.allowUntil(x, "content of a")
			x.typed(c.next)
			b.allowUntil(x, "something else")
			x.typed(c.end)
			x.ends(0)
		})
	}
}

// allowUntil says yes to each question, on the terminal, until the program shows
// something.
func (b *bench) allowUntil(x *terminal, shown string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if open := b.run("approvals", "--json").out; strings.Contains(open, `"id"`) {
			time.Sleep(time.Second)
			x.answers("s", "\r") // and again, if it was not there long enough
			time.Sleep(200 * time.Millisecond)
			continue
		}
		x.mu.Lock()
		at := strings.Index(x.text.String()[x.from:], shown)
		x.mu.Unlock()
		if at >= 0 {
			x.expect(shown)
			return
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	b.t.Fatalf("the terminal shows %q, want %q", x.text.String()[x.from:], shown)
}

// TestAskInShell: a shell inside has given the terminal to a job of its own.
func TestAskInShell(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	x := b.onTerminal("run", "--env", "PS1=INNER> ", "--env", "HISTFILE=", "--", "bash", "--norc", "--noprofile", "-i")
	x.expect("INNER> ")
	x.typed("cat proj/a.txt\n")
	x.asked("proj/a.txt")
	x.answers("o", "\r")
	x.expect("content of a")
	x.expect("INNER> ")
	x.typed("echo alive; exit 3\n")
	x.expect("alive\r\n")
	x.ends(3)
}

// TestAskEndedBefore: the run is ended while the first question is there, before
// the program has begun.
func TestAskEndedBefore(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	b.dir = filepath.Join(b.dir, "proj")
	x := b.onTerminal("run", "--", "touch", "a.txt")
	x.asked("read " + b.dir)
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	x.ends(128 + 15)
	x = b.onTerminal("run", "--", "touch", "a.txt")
	x.asked("read " + b.dir)
	x.answers("\x03")
	_ = x.cmd.Wait()
	if got := x.cmd.ProcessState.String(); got != "signal: interrupt" {
		t.Errorf("ended with %q", got)
	}
}

// TestAskTerminalGone: the terminal, or the launcher, goes away in the middle of a
// question. All ends at once, and nothing was allowed.
func TestAskTerminalGone(t *testing.T) {
	for _, how := range []string{"hang up", "kill"} {
		t.Run(how, func(t *testing.T) {
			b := newAskingBench(t)
			b.write("proj/a.txt", "content of a\n")
			mark := fmt.Sprintf("gone-%d-%s", os.Getpid(), strings.ReplaceAll(how, " ", "-"))
			x := b.onTerminal("run", "--", "sh", "-c", "cat proj/a.txt; sleep 1000 # "+mark)
			x.asked("proj/a.txt")
			begun := time.Now()
			if how == "kill" {
				_ = x.cmd.Process.Kill()
			} else {
				_ = x.master.Close()
			}
			_ = x.cmd.Wait()
			for running(mark) && time.Since(begun) < patience {
				time.Sleep(10 * time.Millisecond)
			}
			if running(mark) {
				t.Errorf("after %s it is there", patience)
			}
			if strings.Contains(x.shown(), "content of a") {
				t.Error("it was allowed")
			}
			b.run("approvals").want(t, 0)
			b.run("grants", "ls").want(t, 0)
		})
	}
}

// running reports whether a process with a word in its command line is there.
func running(mark string) bool {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), mark) {
			return true
		}
	}
	return false
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

func TestAskFlags(t *testing.T) {
	b := newBench(t)
	cmd := b.command("run", "--ask", "tty", "--", "true") // no terminal controls it
	cmd = exec.Command("setsid", append([]string{"-w"}, cmd.Args...)...)
	cmd.Env, cmd.Dir = b.env, b.dir
	b.finish(cmd).want(t, 125, "there is no terminal to ask on")
	b.run("run", "--ask", "everybody", "--", "true").want(t, 125, `--ask "everybody"`)
}
