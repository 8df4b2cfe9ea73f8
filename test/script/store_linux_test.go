package script_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWithoutStore: where the program that opens the store is not there, or does
// not what it should, nothing runs that would have to know what was granted, and
// no list is shown. A copy of what stands needs no such program.
func TestWithoutStore(t *testing.T) {
	for name, content := range map[string]string{
		"absent":         "",
		"not executable": "-",
		"ends":           "#!/bin/sh\nexit 0\n",
		"talks":          "#!/bin/sh\necho nonsense >&3\necho of it >&2\nexit 3\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			bin := t.TempDir()
			text, err := os.ReadFile(binary)
			if err == nil {
				err = os.WriteFile(filepath.Join(bin, "ambit"), text, 0o755)
			}
			if content != "" && err == nil {
				mode := os.FileMode(0o755)
				if content == "-" {
					mode = 0o644
				}
				err = os.WriteFile(filepath.Join(bin, "ambit-store"), []byte(content), mode)
			}
			if err != nil {
				t.Fatal(err)
			}
			without := func(args ...string) ran {
				cmd := b.command(args...)
				cmd.Path = filepath.Join(bin, "ambit")
				return b.finish(cmd)
			}
			launch := []string{"run", "--ask", "none", "--", "echo", "ran"}
			for _, args := range [][]string{launch, {"grants", "add", "fs.read:" + b.dir}} {
				r := without(args...)
				r.want(t, 125, "ambit-store", "ambit.db")
				if strings.Contains(r.out, "ran") {
					t.Errorf("it ran: %s", r.out)
				}
			}
			b.run("grants", "add", "--deny", "fs.read:"+b.dir).want(t, 0)
			without(launch...).want(t, 125, "ambit-store")
			for _, args := range [][]string{{"grants", "ls"}, {"grants", "revoke", "--all"}} {
				without(args...).want(t, 125, "ambit-store")
			}
			b.run(launch...).want(t, 0, "ran") // and leaves a copy
			without(launch...).want(t, 0, "ran")
		})
	}
}

// TestStoreKilled: a session whose ambit-store is killed goes on with another
// one, which ends with it. If it was asked something at that moment, the question
// is refused and says why.
func TestStoreKilled(t *testing.T) {
	b := newAskingBench(t)
	b.write("one", "first\n")
	b.write("two", "second\n")
	a := b.ask(nil, "sh", "-c", "cat one; cat two")
	killed := b.question(a)
	first := childOf(t, a.Process.Pid, "ambit-store")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	answered := b.run("approve", killed.Question.ID).status == 0 // else it was refused meanwhile
	q := killed
	for end := time.Now().Add(patience); q.Question.ID == killed.Question.ID; {
		if time.Now().After(end) {
			t.Fatalf("%s is asked about still", q.Question.Capability)
		}
		q = b.question(a)
	}
	again := childOf(t, a.Process.Pid, "ambit-store")
	b.run("approve", q.Question.ID).want(t, 0)
	err := a.Wait()
	switch out := a.out.String(); {
	case err != nil || out != "first\nsecond\n" && out != "second\n":
		t.Errorf("%v: %q, %q", err, out, a.err.String())
	case out == "second\n" && (answered || !strings.Contains(a.err.String(), "ambit-store has ended")):
		t.Errorf("the first was refused: %q", a.err.String())
	}
	if again == first {
		t.Errorf("%d was killed, and is there", first)
	}
	until(t, "that the second ends with the session", func() bool { return errors.Is(syscall.Kill(again, 0), syscall.ESRCH) })
}
