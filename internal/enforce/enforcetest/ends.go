package enforcetest

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// ends: how a program may end, and that all ends with it.
func (s suite) ends(t *testing.T) {
	for _, c := range []struct {
		script       string
		exit, signal int
	}{
		{"exit 0", 0, 0}, {"exit 3", 3, 0}, {"exit 255", 255, 0}, {"kill -TERM $$", 128 + 15, 15}, {"kill -KILL $$", 128 + 9, 9}, {"kill -SEGV $$", 128 + 11, 11},
		{"sleep 600 & setsid sleep 601 & exit 4", 4, 0},
	} {
		t.Run(c.script, func(t *testing.T) {
			p := newPlace(t)
			in := p.input(t, "/bin/sh", "-c", c.script)
			r := s.run(t, in, nil)
			if r.Exit != c.exit || r.Signal != c.signal {
				t.Errorf("got %+v, want exit %d signal %d", r.Result, c.exit, c.signal)
			}
			p.gone(t)
		})
	}
	t.Run("killed", func(t *testing.T) {
		p := newPlace(t)
		r := s.start(t, p.input(t, "/bin/sh", "-c", "trap '' TERM; sleep 600 & setsid sleep 601 & sleep 602"), nil)
		if err := r.Kill(); err != nil {
			t.Error(err)
		}
		if got := r.wait(t); got.Signal != int(syscall.SIGKILL) {
			t.Errorf("got %+v", got.Result)
		}
		p.gone(t)
	})
	t.Run("asked to end", func(t *testing.T) {
		p := newPlace(t)
		r := s.start(t, p.input(t, "/bin/sh", "-c", "trap 'exit 9' TERM; : > began; while :; do sleep 0.01; done"), nil)
		p.await(t, "began")
		if err := r.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if got := r.wait(t); got.Exit != 9 {
			t.Errorf("got %+v", got.Result)
		}
		if err := errors.Join(r.Kill(), r.Signal(syscall.SIGTERM)); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
	t.Run("wall time", func(t *testing.T) {
		p := newPlace(t)
		in := p.input(t, "/bin/sleep", "600")
		in.Limits.Wall = 300 * time.Millisecond
		if r := s.run(t, in, nil); r.Limit != "wall" || r.Exit == 0 {
			t.Errorf("got %+v", r.Result)
		}
		p.gone(t)
	})
	t.Run("size of private folders", func(t *testing.T) {
		p := newPlace(t)
		in := p.input(t, "/bin/sh", "-c", "head -c 8M /dev/zero > /tmp/x")
		in.Limits.Disk = 4 << 20
		if r := s.run(t, in, nil); r.Exit == 0 {
			t.Error("it wrote more than the limit")
		}
	})
	t.Run("no such program", func(t *testing.T) {
		p := newPlace(t)
		if r := s.run(t, p.input(t, "/nonexistent"), nil); !errors.Is(r.CannotExec, os.ErrNotExist) {
			t.Errorf("got %+v", r.Result)
		}
	})
	t.Run("not executable", func(t *testing.T) {
		p := newPlace(t)
		if r := s.run(t, p.input(t, p.work+"/file"), nil); !errors.Is(r.CannotExec, os.ErrPermission) {
			t.Errorf("got %+v", r.Result)
		}
	})
}

// homes: what the program has for a home.
func (s suite) homes(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		p := newPlace(t)
		in := p.input(t, "/bin/sh", "-c", "test ! -e "+home)
		in.Home, in.HomePath = enforce.HomeNone, ""
		if r := s.run(t, in, nil); r.Exit != 0 {
			t.Errorf("%+v %s", r.Result, r.err)
		}
	})
	t.Run("ephemeral", func(t *testing.T) {
		p := newPlace(t)
		for range 2 { // the second finds nothing of the first
			if r := s.run(t, p.input(t, "/bin/sh", "-ec", "cd; test -z \"$(ls -A)\"; : > f; test \"$(pwd)\" = "+home), nil); r.Exit != 0 {
				t.Errorf("%+v %s", r.Result, r.err)
			}
		}
	})
	t.Run("private", func(t *testing.T) {
		p := newPlace(t)
		kept := p.hidden + "/home"
		if err := os.Mkdir(kept, 0o700); err != nil {
			t.Fatal(err)
		}
		o := object(t, kept)
		for i := range 2 { // the second finds what the first left
			in := p.input(t, "/bin/sh", "-ec", "cd; ls; echo x >> f")
			in.Home, in.PrivateHome = enforce.HomePrivate, &o
			r := s.run(t, in, nil)
			if r.Exit != 0 || strings.Contains(r.out, "f") != (i == 1) {
				t.Errorf("run %d: %+v %s%s", i, r.Result, r.out, r.err)
			}
		}
	})
}
