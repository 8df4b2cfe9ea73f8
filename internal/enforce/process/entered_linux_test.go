//go:build linux

package process_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/process"
)

// reach tries to look into each process by all that /proc has for that, and says
// by name of whom it had what.
const reach = `import os, sys, time
mine, had = {os.getpid()}, set()
def tries(p):
    yield "memory", lambda: os.close(os.open("/proc/%s/mem" % p, os.O_RDWR))
    yield "program", lambda: os.close(os.open("/proc/%s/exe" % p, os.O_RDONLY))
    for n in (0, 3, 4, 5):
        yield "descriptor", lambda: os.readlink("/proc/%s/fd/%d" % (p, n))
    yield "root", lambda: os.stat("/proc/%s/root/etc" % p)
def look():
    for p in os.listdir("/proc"):
        if not p.isdigit() or int(p) in mine: continue
        for what, f in tries(p):
            try:
                f()
                name = os.path.basename(os.readlink("/proc/%s/exe" % p)) # it may have become a program meanwhile
            except OSError: continue
            if (name, what) not in had: print(name, what, flush=True)
            had.add((name, what))
`

// Init, what keeps a program that was started later, and that program before it is
// executed cannot be looked into from inside; what the program starts itself can.
func TestReachIn(t *testing.T) {
	in := enforcetest.Input(t, "/usr/bin/python3", "-c", reach+`
while not os.path.exists(os.environ["WORK"] + "/stop"): look()
print("over", flush=True)`)
	plan, err := enforce.Compile(in.Input, facts(t))
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	inside, err := process.Tier{}.Start(t.Context(), plan, enforce.Stdio{In: null, Out: w, Err: w})
	if e := w.Close(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	go func() {
		for range inside.Denials() {
		}
	}()
	if err := inside.Release(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(r)
		said <- string(text)
	}()
	enter := func(argv ...string) enforce.Entered {
		e, err := enforce.Enter(inside, "process", enforce.Command{Args: argv, Env: plan.Program.Env, Dir: "/", Files: [3]*os.File{null, null, null}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	stays := enter("sleep", "600") // its keeper stays too
	for range 100 {
		if res, err := enter("true").Wait(); err != nil || res.Exit != 0 {
			t.Fatal(res, err)
		}
	}
	if err := os.WriteFile(filepath.Join(in.Work, "stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Wait(); err != nil {
		t.Error(err)
	}
	if res, err := stays.Wait(); err != nil || res.Signal != int(syscall.SIGKILL) {
		t.Error(res, err)
	}
	text := <-said
	for line := range strings.Lines(text) {
		if strings.Contains(line, "ambit") {
			t.Errorf("it had: %s", line)
		}
	}
	if !strings.Contains(text, "sleep program\n") || !strings.Contains(text, "sleep root\n") || !strings.Contains(text, "over\n") {
		t.Errorf("the attempt is none: %q", text)
	}
}

// What is killed is the program first, and then what it has started: it sees none
// of that end, and does nothing about it.
func TestEnteredKilledFirst(t *testing.T) {
	in := enforcetest.Input(t, "/bin/sleep", "600")
	plan, err := enforce.Compile(in.Input, facts(t))
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	inside, err := process.Tier{}.Start(t.Context(), plan, enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range inside.Denials() {
		}
	}()
	if err := inside.Release(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		e, err := enforce.Enter(inside, "process", enforce.Command{Args: []string{"sh", "-c", "sleep 600 & first=$!; for i in $(seq 60); do sleep 600 & done; echo began; wait $first; exit 9"},
			Env: plan.Program.Env, Dir: "/", Files: [3]*os.File{null, w, null}})
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 16)); err != nil {
			t.Error(err)
		}
		_ = r.Close() // nothing more is said
		if err := e.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if res, err := e.Wait(); err != nil || res.Signal != int(syscall.SIGKILL) {
			t.Errorf("it ended by itself when it was killed: %+v, %v", res, err)
		}
	}
	if err := inside.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := inside.Wait(); err != nil {
		t.Error(err)
	}
}
