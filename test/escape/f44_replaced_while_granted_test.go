package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// F44: a granted file is replaced on the host while the program runs. A grant is
// for a path. In a view that asks, the program sees what has that path a moment
// later, without a question; what the path leads to by a link is another path, and
// asked about. In a view that does not ask it goes on seeing the object that was
// there at the launch, and never another one.
func TestF44ReplacedWhileGranted(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		granted := filepath.Join(f.Dir, "granted", "file")
		f.put(t, granted, "old\n")
		f.flags = append(f.flags, "--env", "GRANTED="+granted)
		s := f.begin(t, `echo ready; exec 5<"$GRANTED"; while :; do cat "$GRANTED"; sleep 0.1; done`)
		q := f.asked(t)
		f.answered(t, "approve", q.ID)
		says := func(what string) {
			t.Helper()
			if !f.within(longest, func() bool { return strings.Contains(s.out.String(), what) }) {
				t.Fatalf("F44: it does not say %q: %s", what, s.out)
			}
		}
		says("old\n")
		f.put(t, granted+".new", "new\n")
		if err := os.Rename(granted+".new", granted); err != nil {
			t.Fatal(err)
		}
		says("new\n")
		if all := f.questions(t); len(all) > 0 {
			t.Errorf("F44: it is asked about again: %+v", all)
		}
		// A link is what it leads to.
		if err := firstError(os.Symlink(f.Canary, granted+".new"), os.Rename(granted+".new", granted)); err != nil {
			t.Fatal(err)
		}
		q = f.asked(t)
		if q.Capability != "fs.read:"+f.Canary {
			t.Errorf("F44: asked about %s", q.Capability)
		}
		f.answered(t, "deny", "--for", "session", q.ID)
		// What is gone is gone, and what comes back is there.
		if err := os.Remove(granted); err != nil {
			t.Fatal(err)
		}
		says("No such file")
		f.put(t, granted, "last\n")
		says("last\n")
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // killed
		if text := s.out.String(); strings.Contains(text, f.token) {
			t.Errorf("F44: the canary was read: %s", text)
		}
		f.gone(t, 0)
	})
	t.Run("without asking", func(t *testing.T) {
		f := newField(t)
		granted := filepath.Join(f.Outside, "granted")
		f.put(t, granted, "old\n")
		f.flags = append(f.flags, "--allow", "fs.read:"+granted, "--env", "GRANTED="+granted, "--env", "WORK="+f.Work)
		s := f.begin(t, `cat "$GRANTED"; echo ready; until [ -e "$WORK/go" ]; do sleep 0.02; done; cat "$GRANTED"`)
		if err := os.Rename(f.Canary, granted); err != nil {
			t.Fatal(err)
		}
		f.put(t, f.work("go"), "")
		if err := s.cmd.Wait(); err != nil {
			t.Error(err)
		}
		if text := s.out.String(); strings.Count(text, "old\n") != 2 || strings.Contains(text, f.token) {
			t.Errorf("F44: it says %q", text)
		}
	})
}
