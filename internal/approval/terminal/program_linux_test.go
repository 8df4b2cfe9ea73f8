package terminal_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips a test that needs a program of the host.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("requires %s", program)
	}
	return path
}

// TestFullScreenPrograms: a question in the middle of a program that draws on
// the whole screen, and its screen afterwards.
func TestFullScreenPrograms(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "v") //nolint:usetesting // vim shows the name, and only then where it is in the text
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "text")
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "line %d of the text, %s\n", i, strings.Repeat("and so on ", i%9))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	curses := `
import curses
def main(w):
    w.keypad(True)
    n = 0
    while True:
        for y in range(curses.LINES - 1): w.addstr(y, 0, "row %d" % y)
        w.addstr(5, 10, "keys %d" % n)
        w.refresh()
        k = w.getch()
        if k != curses.KEY_RESIZE: n += 1
curses.wrapper(main)`
	for _, tc := range []struct {
		name    string
		program []string
		keys    []string // to get it where it is asked
		shows   string
		after   string // a key that it takes afterwards
		then    string
	}{
		{"vim", []string{"vim", "-u", "NONE", "-N", "-n", "--not-a-term", file}, []string{"\x04", "\x17s", "jj"}, "line 11", "oanswer 42\x1b", "answer 42"},
		{"less", []string{"less", file}, []string{" ", "/line 50\r"}, "line 50", "q", ""},
		{"python3", []string{"python3", "-c", curses}, []string{"x", "y"}, "keys 2", "z", "keys 3"},
	} {
		for _, mute := range []bool{false, true} {
			name := tc.name
			if mute {
				name += " on a terminal that does not say which screen it shows"
			}
			t.Run(name, func(t *testing.T) {
				tc.program[0] = need(t, tc.program[0])
				sign := filepath.Join(t.TempDir(), "ask")
				d := sit(t, play{Program: tc.program, Silent: true, At: sign}, 80, 24)
				d.vt.mute = mute
				d.until("the program", func() bool { return d.vt.alternate() && strings.Count(d.vt.text(), "\n") > 0 })
				d.settled()
				d.types(tc.keys...)
				d.sees(tc.shows)
				shown := d.settled()
				modes, text := shown.modes, shown.text
				if err := os.WriteFile(sign, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				d.sees(foot)
				if strings.Contains(d.vt.text(), tc.shows) {
					t.Errorf("drawn among what the program shows:\n%s", d.vt.text())
				}
				time.Sleep(400 * time.Millisecond)
				d.answers("o")
				if o := d.outcome(1); o.Answer.Outcome != 1 {
					t.Errorf("got %+v", o)
				}
				d.until("the program's own screen\n"+text, func() bool { return d.vt.text() == text })
				if is := d.modes(); is != modes {
					t.Errorf("modes %s, want %s", is, modes)
				}
				if !d.vt.alternate() {
					t.Error("the program draws on the main screen")
				}
				time.Sleep(500 * time.Millisecond) // it is told twice; a message would be gone with the second time
				done := func() bool { return !d.vt.alternate() }
				if tc.then != "" {
					done = func() bool { return strings.Contains(d.vt.text(), tc.then) }
				}
				// On a busy machine it may be told of the screen once more while it
				// reads the key, and drop it, or take its message off the screen.
				for try := 0; ; try++ {
					d.types(tc.after)
					if soon(done) {
						break
					}
					if try == 3 {
						t.Fatalf("it did not take %q; the terminal shows:\n%s", tc.after, d.vt.text())
					}
				}
			})
		}
	}
}

// soon waits a while for something that may not come.
func soon(f func() bool) bool {
	for range 100 {
		if f() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// TestShellInside: a shell inside has given the terminal to a job of its own.
func TestShellInside(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "ask")
	d := sit(t, play{Program: []string{need(t, "bash"), "--norc", "--noprofile", "-i"}, Own: true, At: sign}, 80, 24)
	d.sees(":>")
	d.types("cat\r")
	d.until("cat", func() bool {
		group, err := d.foreground()
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", group))
		return err == nil && string(name) == "cat\n"
	})
	d.types("one line\r")
	d.until("cat", func() bool { return strings.Count(d.vt.text(), "one line") == 2 })
	before := d.settled()
	group, err := d.foreground()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.sees(foot)
	time.Sleep(400 * time.Millisecond)
	d.answers("s")
	if o := d.outcome(1); o.Answer.Outcome != 1 || o.Err != "" {
		t.Errorf("got %+v", o)
	}
	d.same(before)
	if is, err := d.foreground(); err != nil || is != group {
		t.Errorf("foreground %d, %v; want %d", is, err, group)
	}
	d.types("another\r")
	d.until("cat", func() bool { return strings.Count(d.vt.text(), "another") == 2 })
}

// outer starts a shell on the terminal, from which the launcher is a job.
func outer(t *testing.T, p play) *desk {
	t.Helper()
	d := sit(t, p, 80, 24, need(t, "bash"), "--norc", "--noprofile", "-i")
	d.sees(":>")
	return d
}

// TestStopped: the job is stopped in the middle of a question, by key, and then
// continued; and again; and between questions the key does what it always does.
func TestStopped(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "ask")
	d := outer(t, play{Program: []string{"sleep", "100"}, At: sign})
	d.types("$LAUNCHER\r")
	d.sees("launcher ready")
	stopped := 0
	stops := func() {
		t.Helper()
		stopped++
		d.again("\x1a", func() bool { return strings.Count(d.vt.text(), "Stopped") == stopped })
		if d.vt.alternate() {
			t.Error("the shell is on the alternate screen")
		}
		d.types(fmt.Sprintf("echo $((6*%d))\r", 10+stopped))
		d.sees(fmt.Sprint(6 * (10 + stopped)))
		d.types("fg\r")
	}
	for i := range 2 {
		if err := os.WriteFile(sign, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		d.sees(foot)
		time.Sleep(400 * time.Millisecond)
		stops()
		d.sees(foot)
		time.Sleep(400 * time.Millisecond)
		d.answers("s")
		if o := d.outcome(i + 1); o.Answer.Outcome != 1 || o.Err != "" {
			t.Errorf("got %+v", o)
		}
		d.until("the main screen", func() bool { return !d.vt.alternate() })
		stops()
	}
}

// TestBackground: a job in the background draws nothing over the shell. It says
// where it can be answered, and asks when it is in the foreground.
func TestBackground(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "ask")
	d := outer(t, play{At: sign})
	d.types("$LAUNCHER &\r")
	d.sees("launcher ready")
	modes := d.settled().modes
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.sees("waits for an answer")
	d.sees(foot)
	time.Sleep(time.Second)
	if d.vt.alternate() || d.modes() != modes {
		t.Errorf("it has taken the terminal from the shell")
	}
	d.types("echo $((6*7))\r")
	d.sees("42")
	d.types("fg\r")
	d.sees("may this program do that?")
	time.Sleep(400 * time.Millisecond)
	d.answers("s")
	if o := d.outcome(1); o.Answer.Outcome != 1 || o.Err != "" {
		t.Errorf("got %+v", o)
	}
}

// TestPager: a pager beside us reads the keys; it is not raced with for them.
func TestPager(t *testing.T) {
	need(t, "less")
	sign := filepath.Join(t.TempDir(), "ask")
	d := outer(t, play{At: sign})
	d.types("$LAUNCHER | less\r")
	d.until("less", func() bool { return d.vt.alternate() })
	d.until("the launcher", func() bool { return len(d.outcomes()) > 0 })
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.sees("less beside it has")
	time.Sleep(500 * time.Millisecond)
	if strings.Contains(d.vt.text(), "may this program do that?") {
		t.Errorf("it asks while less reads the keys:\n%s", d.vt.text())
	}
}
