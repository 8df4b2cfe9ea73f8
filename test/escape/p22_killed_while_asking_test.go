package escape_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// touches are the ways to touch something hidden, each a question: by the file
// system or by a held call.
var touches = map[string]string{
	"open":    `cat "$CANARY"`,
	"look":    `stat "$CANARY"`,
	"list":    `ls "$OUTSIDE"`,
	"run":     `"$OUTSIDE/program"`,
	"write":   `sh -c ': >> "$CANARY"'`,
	"make":    `mkdir "$OUTSIDE/new"`,
	"rename":  `mv "$CANARY" "$OUTSIDE/other"`,
	"threads": `python3 -c 'import os, threading; [threading.Thread(target=open, args=(os.environ["OUTSIDE"] + "/" + str(i),)).start() for i in range(8)]'`,
}

// prepareTouches makes what the touches need.
func (f *field) prepareTouches(t *testing.T) {
	t.Helper()
	if err := copyProgram(f.Outside+"/program", "/bin/true"); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		f.put(t, f.Outside+"/"+itoa(i), "x")
	}
}

// P22: the supervisor is killed while a question is open. Nothing waits until the
// time for the answer is over, which is minutes.
func TestP22SupervisorKilledWhileAsking(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		f.prepareTouches(t)
		for name, touch := range touches {
			t.Run(name, func(t *testing.T) {
				f.killSupervisor(t, touch)
			})
		}
		if harm := f.harm(); harm != "" {
			t.Errorf("P22: %s", harm)
		}
	})
}

func (f *field) killSupervisor(t *testing.T, touch string) {
	t.Helper()
	s := f.begin(t, "echo ready; "+touch+"; echo went on")
	q := f.asked(t)
	number := connection(q.PID)
	if number == 0 && f.trapped() {
		t.Fatalf("process %d has no view that asks", q.PID)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.nothingLeft(t)
	_ = s.cmd.Wait() // killed
	if stuck := f.stuck(); stuck != "" {
		t.Errorf("P22: %s", stuck)
	}
	if strings.Contains(s.out.String(), f.token) { // what goes on for a moment finds its calls failing
		t.Errorf("P22: the canary was read: %s", s.out)
	}
	f.gone(t, number)
	if out, status := f.person(t, "approve", q.ID); status != 125 || !strings.Contains(out, "withdrawn") {
		t.Errorf("P22: it can still be answered: %d %s", status, out)
	}
}

// trapped reports whether first touches are heard of by a trap here.
func (f *field) trapped() bool { return !slices.Contains(f.flags, "--ask-by") }

// P22: the program that asks is killed while its question is open. It does not
// wait for the answer, and what else runs in the sandbox goes on.
func TestP22ProgramKilledWhileAsking(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		f.prepareTouches(t)
		for name, touch := range touches {
			t.Run(name, func(t *testing.T) {
				s := f.begin(t, "echo ready; "+touch+"; echo went on")
				q := f.asked(t)
				number := connection(q.PID)
				if err := unix.Kill(q.PID, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				if err := s.cmd.Wait(); err != nil {
					t.Errorf("P22: %v: %s", err, s.out)
				}
				if took := time.Since(begin); took > longest {
					t.Errorf("P22: it ended after %v", took)
				}
				if !strings.Contains(s.out.String(), "went on") {
					t.Errorf("P22: what was not killed did not go on: %s", s.out)
				}
				f.gone(t, number)
			})
		}
		if harm := f.harm(); harm != "" {
			t.Errorf("P22: %s", harm)
		}
	})
}
