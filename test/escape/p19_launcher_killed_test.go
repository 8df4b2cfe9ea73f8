package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// P19: what left its parents and its session dies with the launcher all the
// same: the kernel kills process 1 of the sandbox, and with it all others.
func TestP19LauncherKilled(t *testing.T) {
	t.Parallel()
	for range 3 {
		f := newField(t)
		before := f.traces(t)
		s := f.begin(t, lasting)
		if !f.within(longest, func() bool { return len(f.marked()) >= 7 }) {
			t.Fatalf("%d processes run, want at least 7", len(f.marked()))
		}
		if err := s.cmd.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Wait() // killed
		f.nothingLeft(t)
		if after := f.traces(t); after != before && len(f.marked()) > 0 {
			t.Errorf("P19: before %s, after %s", before, after)
		}
	}
}
