package script_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// counts reads the number of bytes that a program has written, one for each step.
func (b *bench) counts(name string) int64 {
	b.t.Helper()
	fi, err := os.Stat(filepath.Join(b.dir, name))
	if err != nil {
		return 0
	}
	return fi.Size()
}

// goesOn waits until a file grows.
func (b *bench) goesOn(name string) {
	b.t.Helper()
	was := b.counts(name)
	eventually(b.t, "nothing goes on", func() bool { return b.counts(name) > was })
}

// standsStill wants a file not to grow for so long that what runs would have made it grow
// often: each step takes some ten milliseconds.
func (b *bench) standsStill(what, name string) {
	b.t.Helper()
	was := b.counts(name)
	time.Sleep(500 * time.Millisecond) // no proof that it stands, only the time in which it could go on
	if now := b.counts(name); now != was {
		b.t.Errorf("%s: it made %d steps", what, now-was)
	}
}

// Programs that make steps, each of which writes a byte. Where more cannot be made they
// try again.
const (
	// What SIGSTOP does not hold: timers that send SIGCONT. It has a handler, since kernels
	// from 6.13 on put a timer aside whose signal is ignored, as SIGCONT is without one;
	// and they are many, since SIGSTOP drops what is sent and not taken yet, with its timer.
	continues = `
import ctypes, os, signal, struct, time
signal.signal(signal.SIGCONT, lambda *_: None)
libc = ctypes.CDLL(None, use_errno=True)
out = os.open("/out/steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
event = ctypes.create_string_buffer(64)
struct.pack_into("Qii", event, 0, 0, signal.SIGCONT, 0) # SIGEV_SIGNAL
for n in range(1, 21):
    timer = ctypes.c_void_p()
    if libc.timer_create(1, event, ctypes.byref(timer)): raise OSError(ctypes.get_errno(), "timer_create")
    every = struct.pack("qqqq", 0, 200000000, 0, n * 10000000)
    if libc.timer_settime(timer, 0, every, None): raise OSError(ctypes.get_errno(), "timer_settime")
while True:
    os.write(out, b".")
    time.sleep(0.005)
`
	// Processes that each make the next one and end: whoever looks for them finds one that
	// is gone. SIGSTOP to all at once holds them; one after another does not.
	hops = `
import os, time
out = os.open("/out/steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.setsid()
while True:
    os.write(out, b".")
    try:
        if os.fork(): os._exit(0)
    except OSError: time.sleep(0.005)
`
	// As many as there may be, each of which makes others: all are found. SIGSTOP holds them
	// too.
	bomb = `
import os, time
out = os.open("/out/steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(out, b".")
    try: os.fork()
    except OSError: time.sleep(0.005)
`
	// Threads that each make the next one: who traces threads, and not processes, misses
	// none. SIGSTOP, which is a process's, holds them too.
	threadHops = `
import os, threading, time
out = os.open("/out/steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def hop():
    os.write(out, b".")
    while True:
        try: return threading.Thread(target=hop).start()
        except RuntimeError: time.sleep(0.005)
hop()
while True: time.sleep(1)
`
)

// Whatever a program does, nothing of it goes on while it is paused, and all of it does
// afterwards.
func TestPauseHolds(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"timers": continues, "hops": hops, "bomb": bomb, "threads": threadHops} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			program := script
			if name == "hops" { // the first process ends the session: another one hops
				program = "import os, time\nif os.fork():\n    time.sleep(3600)\n" + strings.TrimSpace(script)
			}
			id, _ := b.listed(b.command("run", "--ask", "none", "--limit", "pids=60", "-v", b.dir+":/out:rw", "--", "sh", "-c", `echo > /out/ready; exec python3 -c "$0"`, program))
			b.goesOn("steps")
			b.run("pause", id).want(t, 0, id+" is paused")
			b.run("ps").want(t, 0, "paused")
			b.standsStill(name, "steps")
			b.run("pause", id).want(t, 125, "paused already")
			b.run("exec", id, "true").want(t, 125, "is paused")
			b.run("files", "ls", id+":/out").want(t, 125, "is paused")
			b.run("resume", id).want(t, 0, id+" goes on")
			b.goesOn("steps")
			b.run("resume", id).want(t, 125, "not paused")
			b.run("pause", id).want(t, 0)
			b.standsStill(name+", again", "steps")
			b.run("stop", id).want(t, 0, "has ended") // which lets it go on
			b.run("audit", "ls", "--session", id).want(t, 0, "session.pause", "session.resume", "is paused", "goes on")
			b.run("ps").want(t, 0)
			if left, err := filepath.Glob(filepath.Join(b.home, "**", "*.paused")); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// So it is where another kernel runs the programs.
func TestGVisorPause(t *testing.T) {
	b := newBench(t)
	id, _ := b.listed(b.command("run", "--tier", "gvisor", "--ask", "none", "-v", b.dir+":/out:rw", "--", "sh", "-c", `echo > /out/ready; exec python3 -c "$0"`, continues))
	b.goesOn("steps")
	b.run("pause", id).want(t, 0, "by its own kernel")
	b.standsStill("gVisor", "steps")
	b.run("resume", id).want(t, 0)
	b.goesOn("steps")
	b.run("pause", id).want(t, 0)
	b.run("stop", id).want(t, 0, "has ended")
}

// Who looks after a session that is paused is killed: nothing is left of it.
func TestPauseKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.listed(b.command("run", "--ask", "none", "--limit", "pids=60", "-v", b.dir+":/out:rw", "--", "sh", "-c", `echo > /out/ready; exec python3 -c "$0" mark-`+filepath.Base(b.dir), bomb))
	b.goesOn("steps")
	b.run("pause", id).want(t, 0)
	inside := func() (n int) {
		all, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), "mark-"+filepath.Base(b.dir)) {
				n++
			}
		}
		return n
	}
	if inside() == 0 {
		t.Fatal("nothing is found of it")
	}
	b.run("stop", "--now", id).want(t, 0, "has ended")
	eventually(t, "something is left", func() bool { return inside() == 0 })
	b.run("ps", "--all").want(t, 0, "lost")
}

// A bound on time goes on while a session is paused, and ends it.
func TestPauseLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var id string
	var ended chan error
	for wall := 2 * time.Second; ; wall *= 3 { // a busy machine may take longer than that to pause it
		if id, ended = b.appears(b.command("run", "--ask", "none", "--limit", "wall="+wall.String(), "-v", b.dir+":/out:rw", "--", "sh", "-c", waits)); id != "" && b.run("pause", id).status == 0 {
			break
		}
		if wall > time.Minute {
			t.Fatal("it cannot be paused")
		}
		if err := <-ended; err == nil {
			t.Fatal("it ends as if nothing had ended it")
		}
	}
	if err := <-ended; err == nil {
		t.Error("it ends as if nothing had ended it")
	}
	b.run("audit", "ls", "--session", id, "--kind", "session.end").want(t, 0, "wall")
}

// What waits for an answer waits on while it is paused, gets it then, and goes on with it
// when it is resumed.
func TestPauseAsks(t *testing.T) {
	t.Parallel()
	b := newAskingBench(t)
	file := b.write("given", "content\n")
	a := b.ask(nil, "cat", file)
	q := b.question(a)
	var rows []struct{ Session string }
	eventually(t, "it is not listed", func() bool {
		return json.Unmarshal([]byte(b.run("ps", "--json").out), &rows) == nil && len(rows) == 1
	})
	b.run("pause", rows[0].Session).want(t, 0, "is paused")
	b.run("approvals").want(t, 0, q.Question.ID)
	b.run("approve", q.Question.ID).want(t, 0)
	ended := make(chan error, 1)
	go func() { ended <- a.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("it went on: %v", err)
	case <-time.After(time.Second): // no proof that it stands, only the time in which it could go on
	}
	b.run("resume", rows[0].Session).want(t, 0)
	if err := <-ended; err != nil || a.out.String() != "content\n" {
		t.Errorf("it ends with %v, %q, %q", err, a.out.String(), a.err.String())
	}
}
