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
		text, r := inside(t, s, nil, "sh", "-c", `grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; ulimit -n`)
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
		if text, r := inside(t, s, nil, "no-such-program"); !errors.Is(r.CannotExec, unix.ENOENT) || r.Exit != 127 {
			t.Errorf("got %+v %q", r, text)
		}
		if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), func(c *enforce.Command) { c.Dir = "/no/such" }, "true")); err == nil || !strings.Contains(err.Error(), "/no/such") {
			t.Errorf("got %v", err)
		}
		if _, err := enforce.Enter(s, enforce.TierGVisor, command(t, null(t), nil, "echo", "\xff")); !isCannot(err) {
			t.Errorf("got %v", err)
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

// pty makes a terminal of its own.
func pty(t testing.TB) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard = open(t, "/dev/ptmx", os.O_RDWR|unix.O_NOCTTY)
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, open(t, fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY)
}

// A terminal is the program's controlling one: what is typed interrupts who is in
// its foreground, its size can be asked for, and its end is told.
func TestEnterTerminal(t *testing.T) {
	dir := t.TempDir()
	s := live(t, box(t, dir, "sleep 600", nil))
	keyboard, terminal := pty(t)
	if err := unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}); err != nil {
		t.Fatal(err)
	}
	c := command(t, terminal, func(c *enforce.Command) { c.Files[0], c.Terminal, c.Dir = terminal, true, dir }, "sh", "-c",
		`stty size > size; trap 'stty size > resized' WINCH; trap : INT; sh -c ': > began; sleep 600'; echo $? > code; until test -s resized; do sleep 0.02; done; until read word; do :; done; echo "$word" > word; : < /dev/tty && : > tty; exit 4`)
	e, err := enforce.Enter(s, enforce.TierGVisor, c)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, keyboard) }() // what it echoes; ends with the terminal
	content := func(name, want string) func() bool {
		return func() bool {
			text, err := os.ReadFile(filepath.Join(dir, name))
			return err == nil && string(text) == want
		}
	}
	until(t, "its size", content("size", "33 99\n"))
	until(t, "it began", content("began", ""))
	typed := func(text string) func() bool {
		return func() bool {
			_, err := keyboard.WriteString(text)
			return err == nil
		}
	}
	until(t, "interrupted", func() bool { return typed("\x03")() && content("code", "130\n")() })
	if err := unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 88}); err != nil {
		t.Error(err)
	}
	until(t, "its new size", content("resized", "44 88\n"))
	if !typed("hello\n")() {
		t.Error("it cannot be typed")
	}
	if r, err := e.Wait(); err != nil || r.Exit != 4 {
		t.Errorf("got %+v %v", r, err)
	}
	if !content("word", "hello\n")() || !content("tty", "")() {
		t.Error("what was typed is not there, or its terminal")
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
