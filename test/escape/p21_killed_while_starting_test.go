package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// P21: wherever in the start the launcher is killed, the child dies too: it
// asks for its death signal first and then looks whether the launcher lives.
func TestP21KilledWhileStarting(t *testing.T) {
	t.Parallel()
	f := newField(t)
	begin := time.Now()
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	whole := time.Since(begin)
	const rounds = 100
	ran := 0
	for i := range rounds {
		began := f.work("began")
		_ = os.Remove(began) // there may be none
		cmd := f.box(t, "/bin/sh", "-c", ": > began; exec sleep 600")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i) * 3 / 2 / rounds)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if _, err := os.Stat(began); err == nil {
			ran++
		}
	}
	t.Logf("in %d of %d rounds the program had begun", ran, rounds)
	f.nothingLeft(t)
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found { // one that is about to end has no environment, and so no mark
		stuck := func() bool { return strings.HasPrefix(status(p, "State"), "D") && status(p, "Name") == "ambit" }
		// To wait for the disk is no fault, and it may be of another test.
		if !f.within(longest, func() bool { return !stuck() }) {
			t.Errorf("P21: %s is %s", p, status(p, "State"))
		}
	}
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Errorf("P21: afterwards nothing starts: %v %s", err, out)
	}
}
