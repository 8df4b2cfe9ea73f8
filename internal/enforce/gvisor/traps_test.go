//go:build linux

package gvisor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// What goes wrong with this runtime where nobody takes care, and that it does not
// here.

// box is a plan with the programs of the host, a granted folder, and what else
// change says.
func box(t testing.TB, work string, script string, change func(*enforce.Input)) enforce.Plan {
	t.Helper()
	in := enforce.Input{
		Session: fmt.Sprintf("s-trap%d", time.Now().UnixNano()), Tier: enforce.TierGVisor, Objects: map[string][]enforce.Object{}, AdHoc: true,
		HomePath: "/home/u", Home: enforce.HomeEphemeral,
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Dir: "/tmp", Env: []string{"PATH=/usr/bin:/bin", "HOME=/home/u"}},
	}
	for _, p := range []string{"/usr", "/bin", "/lib", "/lib64"} {
		if target, err := os.Readlink(p); err == nil {
			in.Base.Links = append(in.Base.Links, enforce.Link{Path: p, Target: target})
		} else if _, err := os.Stat(p); err == nil {
			in.Base.Dirs = append(in.Base.Dirs, object(t, p))
		}
	}
	c, err := capability.ForPath(capability.FSWrite, work)
	if err != nil {
		t.Fatal(err)
	}
	in.Effective, in.Objects[c.String()] = []capability.Capability{c}, []enforce.Object{object(t, work)}
	if change != nil {
		change(&in)
	}
	p, err := enforce.Compile(in, facts())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func object(t testing.TB, path string) enforce.Object {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return enforce.Object{Path: path, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Dev: st.Dev, Ino: st.Ino}
}

// run runs a plan with these descriptors, and answers its end.
func run(t testing.TB, p enforce.Plan, stdio enforce.Stdio) enforce.Result {
	t.Helper()
	s, err := tier(t).Start(t.Context(), p, stdio)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Error(err)
	}
	r, err := s.Wait()
	if err != nil {
		t.Error(err)
	}
	return r
}

func open(t testing.TB, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // it may have been closed
	return f
}

func null(t testing.TB) *os.File { return open(t, os.DevNull, os.O_RDWR) }

// A regular file as output has one position for all that write to it: the sentry
// would keep one of its own.
func TestFileAsOutput(t *testing.T) {
	dir := t.TempDir()
	out := open(t, filepath.Join(dir, "out"), os.O_RDWR|os.O_CREATE)
	if _, err := out.WriteString("before\n"); err != nil {
		t.Fatal(err)
	}
	if r := run(t, box(t, dir, "echo inside; echo error >&2", nil), enforce.Stdio{In: null(t), Out: out, Err: out}); r.Exit != 0 {
		t.Errorf("got %+v", r)
	}
	if _, err := out.WriteString("after\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	lines := strings.Fields(string(text))
	slices.Sort(lines[1:max(1, len(lines)-1)]) // two descriptors, in any order
	if err != nil || strings.Join(lines, " ") != "before error inside after" {
		t.Errorf("got %q %v", text, err)
	}
}

// A mount point that the host has not is made in the sandbox's root alone, also by
// root.
func TestNoMountPointsOnHost(t *testing.T) {
	dir := t.TempDir()
	const absent = "/ambit-test-absent/deep"
	p := box(t, dir, "ls "+absent+" && test ! -e /ambit-test-absent/other", func(in *enforce.Input) {
		in.Volumes = []enforce.Volume{{Source: object(t, dir), Target: absent, Write: true}}
	})
	if r := run(t, p, enforce.Stdio{In: null(t), Out: null(t), Err: null(t)}); r.Exit != 0 {
		t.Errorf("got %+v", r)
	}
	if _, err := os.Lstat("/ambit-test-absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made on the host: %v", err)
	}
}

// What the runtime keeps (its state, its sockets, a pinned network namespace) lies
// in a mount namespace that ends with the sandbox, also where that is killed.
func TestNothingKept(t *testing.T) {
	before := mounts(t)
	s, err := tier(t).Start(t.Context(), box(t, t.TempDir(), "sleep 600", nil), enforce.Stdio{In: null(t), Out: null(t), Err: null(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Release(), s.Kill()); err != nil {
		t.Error(err)
	}
	if r, err := s.Wait(); err != nil || r.Signal != int(unix.SIGKILL) {
		t.Errorf("got %+v %v", r, err)
	}
	// Those of others come and go meanwhile.
	until(t, "its mounts are gone", func() bool {
		for line := range strings.Lines(mounts(t)) {
			if !strings.Contains(before, line) {
				return false
			}
		}
		return true
	})
	for _, at := range []string{"/run/bundle", "/run/state", "/view"} {
		if _, err := os.Lstat(at); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is on the host: %v", at, err)
		}
	}
}

func mounts(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A sandbox has a filter of its own only where the spec brings one: a pack without
// process.spawn is alone in it, and has threads.
func TestAlone(t *testing.T) {
	dir := t.TempDir()
	p := box(t, dir, `read a b < /proc/self/status; while read name value; do test "$name" = Seccomp: && echo "filter $value"; done < /proc/self/status
		(:) || true`, func(in *enforce.Input) {
		in.AdHoc, in.Executables = false, []enforce.Object{object(t, real(t, "/bin/sh")), object(t, loader(t))}
		in.Program.Path = real(t, "/bin/sh")
	})
	if !p.Filter.NoSpawn {
		t.Fatal("the plan lets it start programs")
	}
	out := open(t, filepath.Join(dir, "out"), os.O_RDWR|os.O_CREATE)
	r := run(t, p, enforce.Stdio{In: null(t), Out: out, Err: out})
	text, err := os.ReadFile(out.Name())
	if err != nil || r.Exit == 0 || !strings.Contains(string(text), "filter 2") || !strings.Contains(string(text), "Cannot fork") {
		t.Errorf("got %+v %q %v", r, text, err)
	}
}

func real(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func loader(t testing.TB) string { return real(t, "/lib64/ld-linux-x86-64.so.2") }

// The runtime answers to what the tier needs and to nothing else: what is restored
// would have the random numbers of the time of its checkpoint.
func TestNoOtherCommands(t *testing.T) {
	for _, name := range []string{"run", "do", "exec", "checkpoint", "restore", "debug", "install"} {
		out, err := exec.Command(tier(t).Program, name, "x").CombinedOutput()
		if err == nil {
			t.Errorf("%s: it ran: %s", name, out)
		}
	}
}

// launcherWord has this test binary start a sandbox and wait, as a launcher that
// is about to be killed.
const launcherWord = "AMBIT_TEST_LAUNCHER"

// The kernel ends everything of a sandbox when its launcher is killed, whichever
// thread had started it.
func TestLauncherKilled(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv(launcherWord) != "" {
		s, err := tier(t).Start(context.WithoutCancel(t.Context()), box(t, os.Getenv(launcherWord), ": > began; sleep 600 & sleep 601", nil), enforce.Stdio{In: null(t), Out: null(t), Err: null(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("sandbox %d\n", s.PID())
		time.Sleep(10 * time.Minute) // to be killed
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLauncherKilled$")
	cmd.Env = append(os.Environ(), launcherWord+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	agent := 0
	for lines := bufio.NewScanner(out); agent == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "sandbox %d", &agent) // other lines are the test's
	}
	if agent == 0 {
		t.Fatal("no sandbox was started")
	}
	var inside []int
	until(t, "three processes run for it", func() bool { inside = below(agent); return len(inside) >= 3 })
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	until(t, fmt.Sprintf("%d and %v are gone", agent, inside), func() bool {
		return !slices.ContainsFunc(append(slices.Clone(inside), agent), func(pid int) bool { return unix.Kill(pid, 0) == nil })
	})
}

// below are the processes that come from pid.
func below(pid int) (all []int) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			child := 0
			if _, err := fmt.Sscan(word, &child); err == nil {
				all = append(append(all, child), below(child)...)
			}
		}
	}
	return all
}
