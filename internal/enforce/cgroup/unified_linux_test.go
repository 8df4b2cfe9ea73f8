package cgroup_test

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/cgroup"
)

// A fake tree is plain files. It shows what is written where and which place
// is chosen; it does not show that a kernel would obey, nor any of its rules.
func fakeTree(t *testing.T, own string, controllers, enabled string) (cgroup.Facts, string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, own)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": enabled, "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mountinfo := "30 23 0:26 / " + root + " rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	return cgroup.FindIn(mountinfo, "0::"+own+"\n"), dir
}

var unifiedFiles = []string{"cgroup.procs", "cgroup.kill", "memory.max", "memory.swap.max", "memory.oom.group", "memory.peak",
	"memory.events", "pids.max", "pids.events", "cpu.max", "cpu.stat"}

func TestUnifiedFake(t *testing.T) {
	f, own := fakeTree(t, "/user.slice/run.scope", "cpu memory pids\n", "memory pids cpu\n")
	if !f.Unified.Writable || f.Unified.Own != own || f.Hybrid() {
		t.Fatalf("%+v", f)
	}
	g, err := cgroup.CreateFake(f, unifiedFiles, "s1", cgroup.Limits{MemoryBytes: 64 << 20, PIDs: 12, CPUMilli: 1500})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Dirs()) != 1 || filepath.Dir(g.Dirs()[0]) != own || len(g.ProcsFDs()) != 1 {
		t.Fatalf("directories %v", g.Dirs())
	}
	dir := g.Dirs()[0]
	for name, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1",
		"pids.max": "12", "cpu.max": "150000 100000"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	for name, text := range map[string]string{"memory.peak": "5000000\n", "memory.events": "low 0\noom 3\noom_kill 3\noom_group_kill 1\n",
		"pids.events": "max 4\n", "cpu.stat": "usage_usec 1\nthrottled_usec 2500000\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := stats(t, g)
	want := []string{"memory limit of 64 MiB reached: 2 processes killed", "limit of 12 processes reached: 4 starts refused",
		"processor limit of 1.50 reached: waited 2.5s"}
	if got := s.Reached(g.Limits()); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "cgroup.kill")); string(got) != "1" {
		t.Errorf("cgroup.kill holds %q", got)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

// TestUnifiedEnable writes what is missing and no more.
func TestUnifiedEnable(t *testing.T) {
	f, own := fakeTree(t, "/a.scope", "cpu io memory pids\n", "pids\n")
	g, err := cgroup.CreateFake(f, unifiedFiles, "s1", cgroup.Limits{MemoryBytes: 1 << 20, PIDs: 12, CPUMilli: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove()
	if got, _ := os.ReadFile(filepath.Join(own, "cgroup.subtree_control")); string(got) != "+memory +cpu" {
		t.Errorf("subtree_control got %q", got)
	}
}

// TestUnifiedAside finds the cgroup that a launcher stepped aside in, and never
// the one above a sandbox's group, where the group's limits do not hold.
func TestUnifiedAside(t *testing.T) {
	aside := cgroup.DirectoryOf("launcher", 1, 2, 3)
	f, dir := fakeTree(t, "/a.scope/"+aside, "pids\n", "")
	if f.Unified.Own != filepath.Dir(dir) {
		t.Errorf("aside: own cgroup %q", f.Unified.Own)
	}
	f, dir = fakeTree(t, "/a.scope/"+cgroup.DirectoryOf("s1", 1, 2, 3), "pids\n", "")
	if f.Unified.Own != dir {
		t.Errorf("in a group: own cgroup %q", f.Unified.Own)
	}
}

// TestUnifiedFailure has a kernel without one of the files: nothing is left.
func TestUnifiedFailure(t *testing.T) {
	f, own := fakeTree(t, "/a.scope", "memory pids\n", "memory pids\n")
	files := slices.DeleteFunc(slices.Clone(unifiedFiles), func(s string) bool { return s == "memory.oom.group" })
	if _, err := cgroup.CreateFake(f, files, "s1", cgroup.Limits{MemoryBytes: 1 << 20}); err == nil {
		t.Error("a limit that could not be set was passed over")
	}
	left, err := filepath.Glob(own + "/ambit-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	files = slices.DeleteFunc(slices.Clone(unifiedFiles), func(s string) bool { return s == "memory.swap.max" })
	g, err := cgroup.CreateFake(f, files, "s2", cgroup.Limits{MemoryBytes: 1 << 20})
	if err != nil {
		t.Fatalf("without swap accounting: %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

func TestUnavailable(t *testing.T) {
	limits := cgroup.Limits{MemoryBytes: 1 << 20, PIDs: 5}
	for _, c := range []struct{ name, mountinfo, own, want string }{
		{"nothing mounted", "", "0::/\n", "memory: no hierarchy is mounted; pids: no hierarchy is mounted"},
		{"outside our namespace", "30 23 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", "0::/other\n",
			`our own cgroup "/other" is not beneath what is mounted, "/docker/x"`},
		{"no place", "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", "", "this process has no place in it"},
	} {
		_, err := cgroup.Create(cgroup.FindIn(c.mountinfo, c.own), "x", limits)
		if !errors.Is(err, cgroup.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	f, _ := fakeTree(t, "/a.scope", "memory\n", "memory\n")
	_, err := cgroup.CreateFake(f, unifiedFiles, "x", limits)
	if !errors.Is(err, cgroup.ErrUnavailable) || !strings.Contains(err.Error(), "pids: ") || strings.Contains(err.Error(), "memory: ") {
		t.Errorf("got %v, want a reason for pids alone", err)
	}
}

// TestFindLegacy reads a host with controllers mounted together, escapes in a
// path, and a place below the mount's root.
func TestFindLegacy(t *testing.T) {
	root := t.TempDir() + "/with space"
	if err := os.MkdirAll(root+"/cpu/box", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/cpu/box/cgroup.procs", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	escaped := strings.ReplaceAll(root, " ", `\040`)
	f := cgroup.FindIn("33 31 0:30 /outer "+escaped+"/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\nnonsense\n"+
		"32 31 0:29 / /nowhere rw - cgroup cgroup rw,memory\n", "2:cpuacct,cpu:/outer/box\n4:memory:/m\n")
	if got := f.Legacy["cpu"]; got.Own != root+"/cpu/box" || !got.Writable {
		t.Errorf("cpu: %+v", got)
	}
	if got := f.Legacy["memory"]; got.Writable || got.Why == "" {
		t.Errorf("memory: %+v", got)
	}
	if _, ok := f.Legacy["pids"]; ok {
		t.Error("pids is not mounted")
	}
}

// TestUnifiedKernel uses the real version 2 with whatever controller this host
// left to it: a launcher alone in its cgroup has to get out of the way before
// the kernel hands a controller down, and one that is not alone may not.
func TestUnifiedKernel(t *testing.T) {
	f, err := cgroup.Find()
	if err != nil {
		t.Fatal(err)
	}
	u := f.Unified
	if !u.Writable || !slices.Contains(u.Controllers, "hugetlb") || os.Geteuid() != 0 || u.Own != u.Mount {
		t.Skipf("requires: root at the top of a version 2 hierarchy with hugetlb: %+v", u)
	}
	control, err := os.ReadFile(u.Own + "/cgroup.subtree_control")
	if err != nil {
		t.Fatal(err)
	}
	if err := cgroup.HandDown(u.Own, "hugetlb"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(control), "hugetlb") {
		t.Cleanup(func() {
			if err := os.WriteFile(u.Own+"/cgroup.subtree_control", []byte("-hugetlb"), 0); err != nil {
				t.Error(err)
			}
		})
	}
	for _, alone := range []bool{true, false} {
		dir := filepath.Join(u.Own, "ambit-test")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		join := cgroupOf(t, dir)
		first := join("divide")
		out, err := first.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if !alone {
			other := join("sleep")
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error {
				if m, err := cgroup.Processes(dir); err != nil || len(m) != 1 {
					return errors.Join(err, errors.New("not entered yet"))
				}
				return nil
			})
		}
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("%v\n%s", err, first.Stderr)
		}
		control, err := os.ReadFile(dir + "/cgroup.subtree_control")
		if err != nil {
			t.Fatal(err)
		}
		if alone && (!strings.HasPrefix(line, "/ambit-test/ambit-launcher.") || string(control) != "hugetlb\n") {
			t.Errorf("alone: is in %q, hands down %q", line, control)
		}
		if !alone && (!strings.Contains(line, "1 other process is in ") || string(control) != "") {
			t.Errorf("not alone: %q, hands down %q", line, control)
		}
		if err := os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait()
		eventually(t, func() error {
			leaves, _ := filepath.Glob(dir + "/ambit-launcher.*")
			for _, l := range leaves {
				_ = unix.Rmdir(l)
			}
			return unix.Rmdir(dir)
		})
	}
}
