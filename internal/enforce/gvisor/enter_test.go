//go:build linux

package gvisor_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// inside runs a program in a session and answers what it wrote and how it ended.
func inside(t testing.TB, s enforce.Session, change func(*enforce.Command), args ...string) (string, enforce.Result) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	e, err := enforce.Enter(s, enforce.TierGVisor, command(t, w, change, args...))
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	r, err := e.Wait()
	if err != nil {
		t.Error(err)
	}
	return string(text), r
}

func command(t testing.TB, out *os.File, change func(*enforce.Command), args ...string) enforce.Command {
	t.Helper()
	c := enforce.Command{Args: args, Env: []string{"PATH=/usr/bin:/bin", "HOME=/home/u"}, Dir: "/tmp", Files: [3]*os.File{null(t), out, out}}
	if change != nil {
		change(&c)
	}
	return c
}

// live starts a session whose first program waits, or reads what never comes.
func live(t testing.TB, p enforce.Plan) enforce.Session {
	t.Helper()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = feed.Close() }) // it has its end
	s, err := tier(t).Start(t.Context(), p, enforce.Stdio{In: in, Out: null(t), Err: null(t)})
	_ = in.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Kill() // it may have ended
		_, _ = s.Wait()
	})
	return s
}

// until waits for something to be so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// What is started in a session has its view, its bounds and nothing more; its
// descriptors, arguments and end are its own.
func TestEnter(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := live(t, box(t, dir, "echo x > first; echo y > /tmp/only; sleep 600", func(in *enforce.Input) { in.Limits.FDs = 77; in.Program.Dir = dir }))
	until(t, "the first program began", func() bool { _, err := os.Stat(filepath.Join(dir, "first")); return err == nil })

	t.Run("same view", func(t *testing.T) {
		text, r := inside(t, s, nil, "sh", "-c", `cat /tmp/only "`+dir+`/first"; uname -r; cat "`+secret+`"; echo new > "`+dir+`/second"; test -d /proc/1/root && ls /view /run/bundle; exit 7`)
		if r.Exit != 7 || !strings.HasPrefix(text, "y\nx\n") || !strings.Contains(text, "-gvisor") || strings.Contains(text, "host") {
			t.Errorf("got %+v %q", r, text)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "second")); err != nil || string(got) != "new\n" {
			t.Errorf("got %q %v", got, err)
		}
	})
	t.Run("same bounds", func(t *testing.T) {
		text, r := inside(t, s, nil, "sh", "-c", `grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ulimit -n; ls /proc/self/fd | wc -l; pgrep -x sleep || ps -ef`)
		if r.Exit != 0 || !strings.Contains(text, "CapEff:\t0000000000000000") || !strings.Contains(text, "NoNewPrivs:\t1") || !strings.Contains(text, "\n77\n") {
			t.Errorf("got %+v %q", r, text)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		words := []string{"", "a b", "--", "$(id)", "\n", strings.Repeat("x", 50_000)}
		text, r := inside(t, s, func(c *enforce.Command) { c.Env = append(c.Env, "MORE=here"); c.Dir = dir }, append([]string{"sh", "-c", `echo "$MORE $PWD"; printf '%s\0' "$@"`, "-"}, words...)...)
		if want := "here " + dir + "\n" + strings.Join(words, "\x00") + "\x00"; r.Exit != 0 || text != want {
			t.Errorf("got %+v %d bytes, want %d", r, len(text), len(want))
		}
	})
	t.Run("absent", func(t *testing.T) {
		if text, r := inside(t, s, nil, "no-such-program"); r.CannotExec != unix.ENOENT || r.Exit != 127 {
			t.Errorf("got %+v %q", r, text)
		}
		if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), func(c *enforce.Command) { c.Dir = "/no/such" }, "true")); err == nil || !strings.Contains(err.Error(), "/no/such") {
			t.Errorf("got %v", err)
		}
		if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), nil, "echo", "\xff")); !isCannot(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file as output", func(t *testing.T) {
		out := open(t, filepath.Join(outside, "out"), os.O_RDWR|os.O_CREATE)
		if _, err := out.WriteString("before\n"); err != nil {
			t.Fatal(err)
		}
		e, err := enforce.Enter(s, enforce.TierGVisor, command(t, out, nil, "sh", "-c", "echo inside; sleep 600 & exit 3"))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := e.Wait(); err != nil || r.Exit != 3 { // although something of it goes on
			t.Errorf("got %+v %v", r, err)
		}
		if text, err := os.ReadFile(out.Name()); err != nil || string(text) != "before\ninside\n" {
			t.Errorf("got %q %v", text, err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, open(t, outside, os.O_RDONLY), nil, "true")); err == nil {
			t.Error("it was handed over")
		}
	})
}

func isCannot(err error) bool {
	_, ok := errors.AsType[*enforce.CannotEnforce](err)
	return ok
}

// Signals reach the one they are for; SIGKILL ends what came from it too, and the
// end of the session all.
func TestEnterSignals(t *testing.T) {
	dir := t.TempDir()
	s := live(t, box(t, dir, "sleep 600", nil))
	began := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	}
	start := func(name, script string) enforce.Entered {
		e, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), func(c *enforce.Command) { c.Dir = dir }, "sh", "-c", fmt.Sprintf(script, name)))
		if err != nil {
			t.Fatal(err)
		}
		until(t, name+" began", began(name))
		return e
	}
	caught := start("caught", `trap 'exit 5' TERM; : > %s; while :; do sleep 0.05; done`)
	if err := caught.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if r, err := caught.Wait(); err != nil || r.Exit != 5 {
		t.Errorf("got %+v %v", r, err)
	}
	killed := start("killed", `(while :; do echo x >> count; sleep 0.05; done) & : > %s; wait`)
	until(t, "its child began", began("count"))
	if err := killed.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if r, err := killed.Wait(); err != nil || r.Signal != int(unix.SIGKILL) || r.Exit != 137 {
		t.Errorf("got %+v %v", r, err)
	}
	size := func() int64 {
		st, err := os.Stat(filepath.Join(dir, "count"))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	if text, r := inside(t, s, nil, "sh", "-c", "! pgrep -f [c]ount"); r.Exit != 0 {
		t.Errorf("its child is there: %+v %s, %d", r, text, size())
	}
	last := start("last", `: > %s; sleep 600`)
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
	if r, err := last.Wait(); err != nil || r.Signal != int(unix.SIGKILL) {
		t.Errorf("got %+v %v", r, err)
	}
	if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), nil, "true")); err == nil {
		t.Error("something was started in a session that has ended")
	}
}

// A program that may start no other is alone, also when it was started later.
func TestEnterAlone(t *testing.T) {
	dir := t.TempDir()
	p := box(t, dir, "read x", func(in *enforce.Input) {
		in.AdHoc, in.Executables = false, []enforce.Object{object(t, real(t, "/bin/sh")), object(t, loader(t))}
		in.Program.Path = real(t, "/bin/sh")
	})
	s := live(t, p)
	if text, r := inside(t, s, nil, "sh", "-c", "echo alone; (:); true"); r.Exit == 0 || !strings.Contains(text, "Cannot fork") {
		t.Errorf("got %+v %q", r, text)
	}
}

// BenchmarkEnter is a program in a session that runs, from the call to its end.
func BenchmarkEnter(b *testing.B) {
	s := live(b, box(b, b.TempDir(), "sleep 600", nil))
	for b.Loop() {
		if _, r := inside(b, s, nil, "/bin/true"); r.Exit != 0 {
			b.Fatal(r)
		}
	}
}
