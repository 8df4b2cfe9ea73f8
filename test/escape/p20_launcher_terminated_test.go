package escape_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// P20: a program that ignores SIGTERM has a time of grace, then it is killed.
func TestP20LauncherTerminated(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			s := f.begin(t, lasting)
			begin := time.Now()
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err := s.cmd.Wait()
			if took := time.Since(begin); took > longest || took < time.Second {
				t.Errorf("P20: it took %v, want some 5 s", took)
			}
			if status := exitStatus(err); status != 128+9 {
				t.Errorf("P20: exit %d, want 137", status)
			}
			f.nothingLeft(t)
		})
	}
	t.Run("a program that listens", func(t *testing.T) {
		t.Parallel()
		f := newField(t)
		s := f.begin(t, `trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done`)
		begin := time.Now()
		if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status := exitStatus(s.cmd.Wait()); status != 7 {
			t.Errorf("P20: exit %d, want 7", status)
		}
		if took := time.Since(begin); took > longest {
			t.Errorf("P20: it took %v", took)
		}
		f.nothingLeft(t)
	})
}
