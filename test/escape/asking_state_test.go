package escape_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stateParts are the folders of the state that can be broken one without the
// other: the log and the rest.
var stateParts = map[string]func(f *field) string{
	"log":   func(f *field) string { return filepath.Join(f.Dir, "state", "audit") },
	"store": func(f *field) string { return filepath.Join(f.Dir, "state") },
}

// The log or the store cannot be written any more while a question is open, and
// the answer is yes: nothing is granted that was not recorded, the refusal is
// said, nothing hangs, and what follows is refused as well.
func TestStateFailsWhileAsking(t *testing.T) {
	t.Parallel()
	for part, dir := range stateParts {
		for _, b := range breakages() {
			for when, c := range map[string]struct {
				answer func(f *field, t *testing.T, s *started, q question, broken func())
				waits  time.Duration // that a question does: for an answer that cannot be written, or until there is one
			}{
				"before the answer": {(*field).brokenBefore, 3 * time.Second},
				"after the answer":  {(*field).brokenAfter, longest},
			} {
				t.Run(part+" "+b.name+" "+when, func(t *testing.T) {
					eachWayToAsk(t, func(t *testing.T, f *field) {
						f.flags = append(f.flags, "--ask-timeout", c.waits.String())
						f.placeState(t, part, b)
						f.stateFails(t, b.slack, func(s *started, q question) func() {
							f.reported(t)
							var repair func()
							c.answer(f, t, s, q, func() {
								repair = b.breaks(t, dir(f))
								f.exhaust(t, b)
							})
							return func() {
								repair()
								f.placeLog(t, part, b)
							}
						})
					})
				})
			}
		}
	}
}

// placeState makes the folders of the state, one of which is to be broken.
func (f *field) placeState(t *testing.T, part string, b breakage) {
	t.Helper()
	for _, p := range []string{"store", "log"} { // the log lies in the folder of the store
		dir := stateParts[p](f)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if p == part {
			b.place(t, dir)
		}
	}
	if part == "store" && !b.slack {
		log := filepath.Join(f.Dir, "log")
		if err := os.Mkdir(log, 0o700); err != nil {
			t.Fatal(err)
		}
		smallDisk(t, log)
		f.placeLog(t, part, b)
	}
}

// placeLog has the log lie on a disk that is not broken with the store's.
func (f *field) placeLog(t *testing.T, part string, b breakage) {
	t.Helper()
	if part != "store" || b.slack {
		return
	}
	if err := unix.Mount(filepath.Join(f.Dir, "log"), stateParts["log"](f), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
}

// reported waits until it is recorded how the program runs, and that record is on the
// disk: without that it is ended.
func (f *field) reported(t *testing.T) {
	t.Helper()
	if !f.within(longest, func() bool {
		text, err := os.ReadFile(filepath.Join(stateParts["log"](f), "00000001.log"))
		return err == nil && strings.Contains(string(text), `"kind":"report"`) && f.unlocked(t)
	}) {
		t.Fatal("how it runs is not recorded")
	}
}

// exhaust uses up the rest of a block that was begun: what fits there can be
// written though the disk is full.
func (f *field) exhaust(t *testing.T, b breakage) {
	t.Helper()
	if b.slack {
		return
	}
	for i := range 100 {
		if _, status := f.person(t, "grants", "add", "fs.read:/absent/"+itoa(i)); status != 0 {
			return
		}
	}
	t.Fatal("the state can be written though it is broken")
}

// brokenBefore has the state fail, and then a person say yes.
func (f *field) brokenBefore(t *testing.T, _ *started, q question, broken func()) {
	t.Helper()
	broken()
	f.person(t, "approve", "--for", "always", q.ID) // it may say that it cannot
}

// brokenAfter has a person say yes, and the state fail before whoever asked has
// heard of it.
func (f *field) brokenAfter(t *testing.T, s *started, q question, broken func()) {
	t.Helper()
	for range 100 {
		stopped(t, s.cmd.Process.Pid)
		free := f.unlocked(t)
		if free {
			f.answered(t, "approve", "--for", "always", q.ID)
			broken()
		}
		if err := s.cmd.Process.Signal(unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if free {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never stands still without the lock of the log")
}

// unlocked reports whether nobody holds the log: one who stands still would hold it
// for ever.
func (f *field) unlocked(t *testing.T) bool {
	t.Helper()
	lock, err := os.Open(filepath.Join(f.Dir, "state", "audit", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	return unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func (f *field) stateFails(t *testing.T, slack bool, broken func(*started, question) (repair func())) {
	t.Helper()
	for _, name := range []string{"second", "third"} {
		f.put(t, filepath.Join(f.Outside, name), f.token)
	}
	s := f.begin(t, `echo ready; cat "$CANARY" || echo refused; cat "$OUTSIDE/second" || echo refused; cat "$OUTSIDE/third" || echo refused; echo went on`)
	q := f.asked(t)
	number := connection(q.PID)
	repair := broken(s, q)
	if slack {
		f.deny(t, s) // what can still be asked
	} else {
		f.ends(t, s)
	}
	repair()
	text := s.out.String()
	granted := f.answered(t, "grants", "ls", "--all")
	switch read := strings.Count(text, f.token); {
	case !strings.Contains(text, "went on") || strings.Count(text, "refused\n")+read != 3:
		t.Errorf("it says %s", text)
	case read == 0:
		// Whatever was denied is told of, with why; on a line that the program may
		// have begun.
		if said := regexp.MustCompile(`ambit: .*` + regexp.QuoteMeta(f.Canary)).FindString(text); said == "" {
			t.Errorf("the denial is not said: %s", text)
		}
		if strings.Contains(granted, f.Canary) {
			t.Errorf("it was granted: %s", granted)
		}
	case !slack || read > 1 || !strings.Contains(granted, f.Canary) || !strings.Contains(f.answered(t, "audit", "ls"), f.Canary):
		t.Errorf("it was given without a record: %s\n%s", text, granted)
	}
	f.answered(t, "audit", "verify")
	f.gone(t, number)
	if harm := f.harm(); harm != "" {
		t.Error(harm)
	}
}

// ends waits for the end of a launcher.
func (f *field) ends(t *testing.T, s *started) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	if !f.within(longest, func() bool { return len(ended) > 0 }) {
		t.Errorf("it does not end: %s", s.out)
		for _, pid := range f.marked() {
			t.Logf("process %d is %s", pid, status("/proc/"+itoa(pid), "State"))
		}
		_ = s.cmd.Process.Kill() // it may end this moment
	}
	<-ended //nolint:errcheck // as it was refused something
}

// stopped stops a process and waits until it stands still.
func stopped(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if !(*field)(nil).within(longest, func() bool { return strings.HasPrefix(status("/proc/"+itoa(pid), "State"), "T") }) {
		t.Fatal("it does not stop")
	}
}
