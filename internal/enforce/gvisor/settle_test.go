//go:build linux

package gvisor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestSettles holds that what keeps a session has little of its program mapped when the session
// waits, and that it answers as before.
func TestSettles(t *testing.T) {
	const most = 12 << 10 // KiB; some 20,000 and more where nothing is given back
	s := live(t, box(t, t.TempDir(), "read end", nil))
	until(t, "little of ambit-runsc to be mapped", func() bool {
		of := files(t, s.PID())
		if len(of) != 3 {
			t.Fatalf("agent, gofer and sentry are %v", of)
		}
		for _, n := range of {
			if n > most {
				return false
			}
		}
		return true
	})
	if out, r := inside(t, s, nil, "/bin/echo", "here"); out != "here\n" || r.Exit != 0 {
		t.Errorf("a program said %q, %+v", out, r)
	}
}

// files are how many KiB of files an agent and what it started have mapped, by their names.
func files(t *testing.T, agent int) map[string]int {
	t.Helper()
	all := map[string]int{}
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		status, err := os.ReadFile(p)
		if err != nil {
			continue // it has ended
		}
		has := fields(string(status))
		if has["Pid"] != strconv.Itoa(agent) && has["PPid"] != strconv.Itoa(agent) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline"))
		name, _, _ := strings.Cut(string(line), "\x00")
		if err != nil || !strings.Contains(name, "runsc") {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(has["RssFile"], "%d kB", &n); err != nil {
			t.Fatal(err)
		}
		all[name] = n
	}
	return all
}

// fields are the lines of a status file.
func fields(status string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(status) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			all[name] = strings.TrimSpace(value)
		}
	}
	return all
}
