package escape_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killedAt is how long after a question is answered somebody is killed: from
// before the answer is written to when it was acted on.
const killedAt = 80 * time.Millisecond

// kills is how often each is killed.
const kills = 8

// moment is one between the answer and what comes of it.
func moment() time.Duration { return rand.N(killedAt) }

// Whoever waits, whoever asks, or whoever answers is killed at any moment of an
// answer. Nothing hangs, nothing is left, what was read was granted on the
// record, and the next question is answered as if nothing had been.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(f *field, t *testing.T){
		"the supervisor": (*field).killAsker, "the program": (*field).killToucher, "the answerer": (*field).killAnswerer,
	} {
		t.Run(name, func(t *testing.T) {
			eachWayToAsk(t, func(t *testing.T, f *field) {
				for range kills {
					kill(f, t)
					// A yes that came when nobody waited any more is for the next run.
					f.person(t, "grants", "revoke", "--all") // there may be nothing to revoke
				}
				f.answered(t, "audit", "verify")
				if harm := f.harm(); harm != "" {
					t.Error(harm)
				}
			})
		})
	}
}

// answering starts to say yes to a question.
func (f *field) answering(t *testing.T, q question) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(ambit(t), "approve", q.ID)
	f.fit(cmd)
	cmd.ExtraFiles = nil
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// grants counts the grants of the canary that were ever made.
func (f *field) grants(t *testing.T) int {
	t.Helper()
	return strings.Count(f.answered(t, "grants", "ls", "--all"), f.Canary)
}

// recorded fails if the canary was read and nothing was granted since there were
// that many grants.
func (f *field) recorded(t *testing.T, s *started, grants int) {
	t.Helper()
	if strings.Contains(s.out.String(), f.token) && f.grants(t) <= grants {
		t.Errorf("it was read and not granted: %s", s.out)
	}
}

func (f *field) killAsker(t *testing.T) {
	t.Helper()
	before := f.grants(t)
	s := f.begin(t, `echo ready; cat "$CANARY"; mkdir "$OUTSIDE/new"; cat "$OUTSIDE/other"; sleep 600`)
	q := f.asked(t)
	number := connection(q.PID)
	answer := f.answering(t, q)
	time.Sleep(moment())
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()          // killed
	_ = answer.Process.Kill() // it waits for what comes of its answer
	_ = answer.Wait()
	if stuck := f.stuckFor(longest); stuck != "" {
		t.Error(stuck)
	}
	f.gone(t, number)
	f.recorded(t, s, before)
}

func (f *field) killToucher(t *testing.T) {
	t.Helper()
	before := f.grants(t)
	s := f.begin(t, `echo ready; cat "$CANARY"; ls "$OUTSIDE"; echo went on`)
	q := f.asked(t)
	number := connection(q.PID)
	answer := f.answering(t, q)
	time.Sleep(moment())
	if err := unix.Kill(q.PID, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		t.Fatal(err)
	}
	_ = answer.Wait() // it may have been too late
	f.deny(t, s)
	if !strings.Contains(s.out.String(), "went on") {
		t.Errorf("what was not killed did not go on: %s", s.out)
	}
	f.gone(t, number)
	f.recorded(t, s, before)
}

func (f *field) killAnswerer(t *testing.T) {
	t.Helper()
	before := f.grants(t)
	s := f.begin(t, `echo ready; cat "$CANARY" && echo went on`)
	q := f.asked(t)
	number := connection(q.PID)
	for range 3 {
		answer := f.answering(t, q)
		time.Sleep(moment() / 2)
		_ = answer.Process.Kill() // it may be through
		_ = answer.Wait()
	}
	if out, status := f.person(t, "approve", q.ID); status != 0 && !strings.Contains(out, "answered") {
		t.Errorf("approve: %d %s", status, out)
	}
	f.ends(t, s)
	if text := s.out.String(); !strings.Contains(text, f.token) || !strings.Contains(text, "went on") {
		t.Errorf("the answer did not arrive: %s", text)
	}
	f.recorded(t, s, before)
	f.gone(t, number)
}

// stuckFor waits for the end of all that was started in the field, and says what
// does not end.
func (f *field) stuckFor(d time.Duration) string {
	f.within(d, func() bool { return len(f.marked()) == 0 })
	for _, pid := range f.marked() {
		if text, err := os.ReadFile("/proc/" + itoa(pid) + "/status"); err == nil {
			return "this does not end: " + firstLines(text, 3)
		}
	}
	return ""
}
