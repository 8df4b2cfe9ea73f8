package cgroup_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/cgroup"
)

// newGroup makes a real group, or skips where this host has no place for one.
func newGroup(t *testing.T, l cgroup.Limits) *cgroup.Group {
	t.Helper()
	f, err := cgroup.Find()
	if err != nil {
		t.Fatal(err)
	}
	g, err := cgroup.Create(f, strings.ReplaceAll(t.Name(), "/", "-"), l)
	if errors.Is(err, cgroup.ErrUnavailable) || errors.Is(err, os.ErrPermission) {
		t.Skip("requires: control groups that can be made here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dirs := g.Dirs()
		if err := errors.Join(g.Kill(), g.Remove()); err != nil {
			t.Error(err)
		}
		for _, d := range dirs {
			if _, err := os.Stat(d); err == nil {
				t.Errorf("%s is left", d)
			}
		}
	})
	return g
}

func stats(t *testing.T, g *cgroup.Group) cgroup.Stats {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMemoryLimit(t *testing.T) {
	if out, err := command(t, "hog", nil).Output(); err != nil {
		t.Skipf("requires: more memory: without a limit the memory cannot be had either: %v %s", err, out)
	}
	l := cgroup.Limits{MemoryBytes: 64 << 20}
	g := newGroup(t, l)
	cmd := command(t, "hog", g)
	out, err := cmd.Output()
	if err == nil {
		t.Fatalf("went past its memory limit: %s", out)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != unix.SIGKILL {
		t.Errorf("ended with %v, want SIGKILL\n%s", cmd.ProcessState, cmd.Stderr)
	}
	s := stats(t, g)
	if s.OOMKills == 0 || s.MemoryPeak < 32<<20 || s.MemoryPeak > 65<<20 {
		t.Errorf("numbers do not tell it: %+v", s)
	}
	got, want := s.Reached(l), "memory limit of 64 MiB reached: 1 process killed"
	if len(got) != 1 || got[0] != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestPIDsLimit(t *testing.T) {
	l := cgroup.Limits{PIDs: 40}
	g := newGroup(t, l)
	cmd := command(t, "forks", g)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, cmd.Stderr)
	}
	if !strings.Contains(line, "resource temporarily unavailable") {
		t.Errorf("want EAGAIN, got %s", line)
	}
	s := stats(t, g)
	if s.PIDsRefused == 0 || s.PIDsPeak > 40 {
		t.Errorf("numbers do not tell it: %+v", s)
	}
	if got := s.Reached(l); len(got) != 1 || !strings.HasPrefix(got[0], "limit of 40 processes reached: ") {
		t.Errorf("told %q", got)
	}
	members, err := cgroup.Processes(g.Dirs()[0])
	if err != nil || len(members) < 2 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process survived Kill")
	}
	// Version 2 kills in one write, and the processes end by themselves.
	eventually(t, func() error {
		for _, pid := range members {
			if state := stateOf(pid); state != "" && state != "Z" {
				return fmt.Errorf("process %d survived Kill in state %s", pid, state)
			}
		}
		return nil
	})
}

func stateOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[:1]
}

func TestCPULimit(t *testing.T) {
	l := cgroup.Limits{CPUMilli: 50} // little, so that it is reached on a machine that does much else
	g := newGroup(t, l)
	out, err := command(t, "spin", g).Output()
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if used > 250 {
		t.Errorf("used %d ms of a second with a limit of 50", used)
	}
	if s := stats(t, g); s.CPUThrottled == 0 {
		t.Errorf("numbers do not tell it: %+v", s)
	}
}

// TestAllLimits makes one group in three hierarchies, and enters it at once.
func TestAllLimits(t *testing.T) {
	g := newGroup(t, cgroup.Limits{MemoryBytes: 1 << 30, PIDs: 100, CPUMilli: 2000})
	cmd := command(t, "sleep", g)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, d := range g.Dirs() {
		eventually(t, func() error {
			members, err := cgroup.Processes(d)
			if err != nil || len(members) != 1 || members[0] != cmd.Process.Pid {
				return fmt.Errorf("members of %s are %v (%v), want %d", d, members, err, cmd.Process.Pid)
			}
			return nil
		})
	}
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process survived Kill")
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Error(err)
}

// TestRemoveBusy keeps a process in the group.
func TestRemoveBusy(t *testing.T) {
	g := newGroup(t, cgroup.Limits{PIDs: 100})
	cmd := command(t, "sleep", g)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := g.Dirs()[0]
	eventually(t, func() error {
		members, err := cgroup.Processes(dir)
		if len(members) == 0 {
			err = errors.Join(err, errors.New("not entered yet"))
		}
		return err
	})
	if err := g.Remove(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("with a process inside: %v, want EBUSY", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := g.Remove(); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

// TestAllOrNothing asks for a limit that the kernel refuses after others were
// set, and looks for what is left.
func TestAllOrNothing(t *testing.T) {
	f, err := cgroup.Find()
	if err != nil {
		t.Fatal(err)
	}
	g, err := cgroup.Create(f, "nothing", cgroup.Limits{PIDs: 1 << 40, MemoryBytes: 1 << 30, CPUMilli: 1000})
	if err == nil {
		t.Error("the kernel took a limit of 2^40 processes", g.Remove())
	}
	if errors.Is(err, cgroup.ErrUnavailable) || errors.Is(err, os.ErrPermission) {
		t.Skip("requires: control groups that can be made here: ", err)
	}
	for _, h := range append([]cgroup.Hierarchy{f.Unified}, f.Legacy["memory"], f.Legacy["pids"], f.Legacy["cpu"]) {
		entries, _ := os.ReadDir(h.Own)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "ambit-nothing.") {
				t.Errorf("%s is left in %s after: %v", e.Name(), h.Own, err)
			}
		}
	}
}

func TestNoLimits(t *testing.T) {
	g := newGroup(t, cgroup.Limits{})
	if len(g.ProcsFDs()) != 0 || len(g.Dirs()) != 0 {
		t.Errorf("%v", g.Dirs())
	}
}

func TestBadLimits(t *testing.T) {
	for _, l := range []cgroup.Limits{{MemoryBytes: -1}, {PIDs: -1}, {CPUMilli: -1}, {CPUMilli: 9}} {
		if _, err := cgroup.Create(cgroup.Facts{}, "x", l); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
	for _, name := range []string{"", "a/b", "..", "a.b", "launcher"} {
		if _, err := cgroup.Create(cgroup.Facts{}, name, cgroup.Limits{}); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

// TestSweep leaves groups of a launcher that is dead, one that lives, and one
// of which nothing is known.
func TestSweep(t *testing.T) {
	g := newGroup(t, cgroup.Limits{PIDs: 100}) // ours, alive
	f, err := cgroup.Find()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := cgroup.PIDNamespace()
	if err != nil {
		t.Fatal(err)
	}
	start, err := cgroup.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	parent := f.Legacy["pids"].Own
	if parent == "" {
		t.Skip("requires: a hierarchy of version 1")
	}
	dead := cgroup.DirectoryOf("dead", ns, 1<<22+1, 7)
	again := cgroup.DirectoryOf("again", ns, os.Getpid(), start-1)
	elsewhere := cgroup.DirectoryOf("elsewhere", ns+1, 1<<22+1, 7)
	for _, d := range []string{dead, again, elsewhere, "ambit-foreign"} {
		if err := os.Mkdir(parent+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Rmdir(parent + "/" + d) })
	}
	if err := cgroup.Sweep(f); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[string]bool{parent + "/" + dead: false, parent + "/" + again: false,
		parent + "/" + elsewhere: true, parent + "/ambit-foreign": true, g.Dirs()[0]: true} {
		if _, err := os.Stat(d); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", d, err == nil, want)
		}
	}
}
