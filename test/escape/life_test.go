package escape_test

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// started is a launcher with its program, which has said that it runs.
type started struct {
	cmd *exec.Cmd
	out *output
}

// output collects what a command prints while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts a script inside and waits until it prints "ready".
func (f *field) begin(t *testing.T, script string) *started {
	t.Helper()
	s := &started{cmd: f.box(t, "/bin/sh", "-c", script), out: &output{}}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.WaitDelay = longest
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended by then
	if !f.within(longest, func() bool { return strings.Contains(s.out.String(), "ready") }) {
		t.Fatalf("it did not begin: %s", s.out)
	}
	return s
}

// lasting is a script of many processes that nothing but SIGKILL ends: one that
// ignores signals, one in the background, one in a session of its own whose
// parents have ended.
const lasting = `trap '' TERM HUP INT QUIT
sleep 600 &
setsid sh -c 'trap "" TERM HUP; (sleep 601; sleep 602) & sleep 603 & exit 0' &
(setsid setsid sh -c 'trap "" TERM HUP; sleep 604 & sleep 605' &)
echo ready
while :; do sleep 606; done`
