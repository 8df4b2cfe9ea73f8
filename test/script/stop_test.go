package script_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// session starts a program that writes ready and runs on, and answers its session
// once that is listed.
func (b *bench) session(program string) (id string, ended chan error) {
	b.t.Helper()
	return b.listed(b.command("run", "--ask", "none", "-v", b.dir+":/out:rw", "--", "sh", "-c", program))
}

// listed starts a run that writes ready, and answers its session once that is listed.
func (b *bench) listed(cmd *exec.Cmd) (id string, ended chan error) {
	b.t.Helper()
	if id, ended = b.appears(cmd); id == "" {
		b.t.Fatal("the session is not listed")
	}
	return id, ended
}

// appears is listed for a session that may end before it is seen: it has no id then.
func (b *bench) appears(cmd *exec.Cmd) (id string, ended chan error) {
	b.t.Helper()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended = make(chan error, 1)
	over := make(chan struct{})
	go func() {
		ended <- cmd.Wait()
		close(over)
	}()
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-over                 // before its folders are removed
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var rows []struct {
			Session string
			PID     int
		}
		if err := json.Unmarshal([]byte(b.run("ps", "--json").out), &rows); err != nil {
			b.t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(b.dir, "ready"))
		for _, r := range rows {
			if r.PID == cmd.Process.Pid && err == nil {
				return r.Session, ended
			}
		}
		select {
		case <-over:
			return "", ended
		default:
		}
	}
	return "", ended
}

// A session that runs is listed, and ends when it is told to: by itself, or by
// force, and either way with all that it started.
func TestStop(t *testing.T) {
	for name, tc := range map[string]struct {
		program string
		args    []string
		status  string
		wrote   bool
	}{
		"it ends":       {`trap 'echo > /out/ended; exit 0' TERM; echo > /out/ready; while :; do sleep 0.1; done`, nil, "exit 0", true},
		"it does not":   {`trap '' TERM; echo > /out/ready; while :; do sleep 0.1; done`, nil, "exit 137", false},
		"at once":       {`trap 'echo > /out/ended' TERM; echo > /out/ready; while :; do sleep 0.1; done`, []string{"--now"}, "lost", false},
		"it has others": {`(trap '' TERM; while :; do sleep 0.1; done) & echo > /out/ready; exec sleep 1000`, nil, "exit 143", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			id, ended := b.session(tc.program)
			if got := b.run("ps").out; !strings.Contains(got, id) || !strings.Contains(got, "process") || !strings.Contains(got, "running") {
				t.Errorf("it lists %s", got)
			}
			b.run("stop", "s-aaaaaaaaaa").want(t, 125, "", `there is no session "s-aaaaaaaaaa"`)
			b.run(append([]string{"stop", id}, tc.args...)...).want(t, 0, id+" has ended.\n")
			select {
			case <-ended: //nolint:errcheck // as it was ended
			case <-time.After(patience):
				t.Error("it has not ended")
			}
			if _, err := os.Stat(filepath.Join(b.dir, "ended")); (err == nil) != tc.wrote {
				t.Errorf("it was told to end: %v", err)
			}
			if got := b.run("ps", "--all").out; !strings.Contains(got, tc.status) {
				t.Errorf("it lists %s, want %s", got, tc.status)
			}
			b.run("stop", id).want(t, 125, "", "does not run any more")
			b.run("stop", "--all").want(t, 0, "")
		})
	}
}

// A session whose process has gone, and whose number another process has by now,
// does not run, and that other one gets no signal.
func TestStopOther(t *testing.T) {
	b := newBench(t)
	b.run("run", "--", "true").want(t, 0)
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Process.Kill(); err != nil {
			t.Errorf("it was ended: %v", err)
		}
		_ = other.Wait() // it was killed
	}()
	note := func(id, process string) string {
		return fmt.Sprintf("%q %q %q %q %q %q %q %q %d %d %d .\n", id, "uid:"+strconv.Itoa(os.Getuid()), "", "", "/bin/sleep", "process", "running", process,
			other.Process.Pid, time.Now().UnixNano(), 0)
	}
	state := filepath.Join(filepath.Dir(b.dir), "state")
	if err := os.WriteFile(filepath.Join(state, "sessions.db.notes"), []byte(note("s-aaaaaaaaab", "1 of another time")), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run("ps", "--all").want(t, 0, "s-aaaaaaaaab", "lost")
	for _, args := range [][]string{{"stop", "s-aaaaaaaaab"}, {"stop", "--now", "s-aaaaaaaaab"}} {
		b.run(args...).want(t, 125, "does not run any more: lost")
	}
	b.run("stop", "--now", "--all").want(t, 0, "No session runs.")
}
