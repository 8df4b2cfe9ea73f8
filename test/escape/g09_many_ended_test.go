package escape_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// delay spreads the ends over the start and the life of a sandbox.
func delay(i int) time.Duration { return time.Duration(i*i) * time.Millisecond / 4 }

// G9: their launchers are ended in every way at random moments.
func TestG09ManyEnded(t *testing.T) {
	f := newField(t)
	before, temporaries := f.traces(t), f.ownTemporaries(t)
	var wg sync.WaitGroup
	for i := range 40 {
		cmd := f.box(t, "/bin/sh", "-c", "trap '' HUP; sleep 600 & setsid sleep 601 & wait")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			f.within(delay(i), func() bool { return false })
			sig := []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGINT, unix.SIGKILL}[i%4]
			_ = cmd.Process.Signal(sig) // it may have ended
			_ = cmd.Wait()
		})
	}
	wg.Wait()
	f.nothingLeft(t)
	if after := f.traces(t); after != before {
		t.Errorf("G9: before %s, after %s", before, after)
	}
	if left, err := os.ReadDir(temporaries); err != nil || len(left) > 0 {
		t.Errorf("G9: temporary files are left: %v %v", left, err)
	}
	if names, err := filepath.Glob(f.Work + "/*"); err != nil || len(names) != 1 {
		t.Errorf("G9: the folder has %v", names)
	}
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Errorf("G9: afterwards nothing starts: %v %s", err, out)
	}
}

// A launcher that is killed cannot remove the control group of its sandbox; the
// next one does.
func TestG09GroupsOfTheKilled(t *testing.T) {
	f := newField(t)
	f.flags = []string{"--limit", "memory=256M"}
	if out, _ := f.box(t, "/bin/true").CombinedOutput(); strings.Contains(string(out), "needs a control group") {
		t.Skipf("requires: control groups, which this tier does not go without: %s", out)
	}
	s := f.begin(t, "echo $AMBIT_SESSION; echo ready; exec sleep 600")
	session := sessionIn(s.out.String())
	if session == "" {
		t.Fatalf("no session: %s", s.out)
	}
	if os.Getuid() == 0 && len(groups(session)) == 0 {
		t.Logf("no control group is used on this host")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // killed
	f.nothingLeft(t)
	// What is about to end has no mark any more, and is still in its group.
	if !f.within(longest, func() bool { return !slices.ContainsFunc(groups(session), populated) }) {
		t.Fatalf("G9: something goes on in %v", groups(session))
	}
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if left := groups(session); len(left) > 0 {
		t.Errorf("G9: %v are left", left)
	}
}

// sessionIn is the session that a program has said that it is of.
func sessionIn(said string) (session string) {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "s-") {
			session = strings.TrimSpace(line)
		}
	}
	return session
}
