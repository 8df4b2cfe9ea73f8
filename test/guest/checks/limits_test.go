package checks

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// two takes 70 MiB in each of two processes at once.
const two = `
import os, sys
r, w = os.pipe()
pid = os.fork()
b = bytearray(70 << 20)
os.close(w)
if pid == 0: os._exit(len(os.read(r, 1))) # when the other has its own
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`

// TestMemory: a bound on memory is for all processes of the sandbox together.
// Each of these two stays below it.
func TestMemory(t *testing.T) {
	python := []string{"--", "python3", "-c", two}
	s := ambit(t, scope(t), append([]string{"run", "--ask", "none", "--limit", "memory=110M"}, python...)...)
	s.want(t, 137, "the limit of memory was reached")
	ambit(t, scope(t), append([]string{"run", "--ask", "none", "--limit", "memory=400M"}, python...)...).want(t, 0)
	nothingLeft(t)
}

// TestPIDs: so is one on processes.
func TestPIDs(t *testing.T) {
	const forks = "i=0; while [ $i -lt 30 ]; do sleep 600 & i=$((i+1)); done; echo made all"
	s := ambit(t, scope(t), "run", "--ask", "none", "--limit", "pids=20", "--", "sh", "-c", forks)
	if strings.Contains(s.out, "made all") {
		t.Error("it made 30 processes")
	}
	s.want(t, 2, "Cannot fork", "the limit of pids was reached")
	ambit(t, scope(t), "run", "--ask", "none", "--limit", "pids=60", "--", "sh", "-c", forks).want(t, 0, "made all")
	nothingLeft(t)
}

// TestCPU: the kernel holds back a sandbox that wants more than its part, and
// that is said at the end.
func TestCPU(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv("AMBIT_BIN"), "run", "--ask", "none", "--limit", "cpu=0.2", "--", "sh", "-c", "while :; do :; done")
	cmd.Env = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	group := scope(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		found := sessions(t)
		if len(found) == 1 && held(found[0]) {
			text, err := os.ReadFile(filepath.Join(found[0], "cpu.max"))
			if err != nil || string(text) != "20000 100000\n" {
				t.Errorf("cpu.max is %q, %v", text, err)
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing is held back in %q", found)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("an interrupted loop ended well")
	}
	if !strings.Contains(complaints.String(), "processor limit of 0.20 reached: waited ") {
		t.Errorf("it says %q", complaints.String())
	}
	nothingLeft(t)
}

// held reports whether the kernel has made a group wait, for a second and more.
func held(group string) bool {
	text, err := os.ReadFile(filepath.Join(group, "cpu.stat"))
	_, after, _ := strings.Cut(string(text), "\nthrottled_usec ")
	number, _, _ := strings.Cut(after, "\n")
	microseconds, bad := strconv.Atoi(number)
	return err == nil && bad == nil && microseconds > 1_200_000
}

// TestNotAlone: in a control group with other processes nothing can be divided.
// What can be kept otherwise is, by name; what cannot is refused.
func TestNotAlone(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("requires: an ordinary user; root may use the top of the hierarchy")
	}
	group := scope(t)
	other := exec.CommandContext(t.Context(), "sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	ambit(t, group, "run", "--ask", "none", "--limit", "memory=400M", "--limit", "pids=50", "--", "true").
		want(t, 0, "ambit: limits: no control group here: memory bounded by process only")
	ambit(t, group, "run", "--ask", "none", "--limit", "cpu=1", "--", "true").want(t, 125, "a limit of cpu needs a control group, and none can be had here")
	ambit(t, group, "doctor").want(t, 0, "1 other process is in ", "so it cannot be divided: start in a cgroup of its own")
}

// TestTop: root in a control group that was handed no controllers takes the top
// of the hierarchy.
func TestTop(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root")
	}
	dir := filepath.Join(top, "bare")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	defer removeAll(t, dir)
	child := filepath.Join(dir, "none")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(child)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ambit(t, f, "run", "--ask", "none", "--limit", "memory=110M", "--limit", "pids=50", "--", "python3", "-c", two).
		want(t, 137, "the limit of memory was reached")
	nothingLeft(t)
}

// nothingLeft: the groups of sandboxes went with them.
func nothingLeft(t *testing.T) {
	t.Helper()
	for _, left := range sessions(t) {
		pids, err := os.ReadFile(filepath.Join(left, "cgroup.procs"))
		t.Errorf("left: %q with the processes %q, %v", left, pids, err)
		for pid := range strings.FieldsSeq(string(pids)) {
			status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
			t.Logf("%s, %v", status, err)
		}
	}
}
