package enforcetest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// replaced: what was granted is another object by the time it is mounted. The
// launch is refused, whatever stands there now.
func (s suite) replaced(t *testing.T) {
	for name, replace := range map[string]func(p place) error{
		"by a link to the outside": func(p place) error { return os.Symlink(p.hidden, p.read) },
		"by a link to /":           func(p place) error { return os.Symlink("/", p.read) },
		"by another folder":        func(p place) error { return os.Mkdir(p.read, 0o755) },
		"by a file":                func(p place) error { return os.WriteFile(p.read, nil, 0o644) },
		"by nothing":               func(place) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			in := p.input(t, "/bin/sh", "-c", "ls -la \"$READ\"; cat \"$READ/file\"")
			if err := os.Rename(p.read, p.read+".was"); err != nil {
				t.Fatal(err)
			}
			if err := replace(p); err != nil {
				t.Fatal(err)
			}
			s.mustRefuse(t, t.Context(), p, in)
		})
	}
	t.Run("the folder above by a link", func(t *testing.T) {
		p := newPlace(t)
		deep := p.hidden + "/a/b"
		if err := os.MkdirAll(deep, 0o755); err != nil {
			t.Fatal(err)
		}
		in := p.input(t, "/bin/true")
		grant(t, &in, "fs.read", deep)
		if err := os.Rename(p.hidden+"/a", p.hidden+"/c"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("c", p.hidden+"/a"); err != nil {
			t.Fatal(err)
		}
		s.mustRefuse(t, t.Context(), p, in)
	})
}

// refused: launches that cannot be.
func (s suite) refused(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		p := newPlace(t)
		s.mustRefuse(t, ctx, p, p.input(t, "/bin/true"))
	})
	t.Run("a directory as standard input", func(t *testing.T) {
		p := newPlace(t)
		plan, err := s.compile(p.input(t, "/bin/true"))
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.Open(p.hidden)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		inside, err := s.tier.Start(t.Context(), plan, enforce.Stdio{In: dir, Out: null, Err: null})
		if err == nil {
			_ = inside.Kill() // the test has failed
			t.Error("it was started")
		}
	})
}

// mustRefuse fails if in starts, or if something of it is left.
func (s suite) mustRefuse(t *testing.T, ctx context.Context, p place, in enforce.Input) {
	t.Helper()
	plan, err := s.compile(in)
	if err != nil {
		t.Fatal(err)
	}
	out := newStream(t)
	stdin, feed := pipe(t)
	_ = feed.Close()
	inside, err := s.tier.Start(ctx, plan, enforce.Stdio{In: stdin, Out: out.w, Err: out.w})
	_ = out.w.Close()
	_ = stdin.Close()
	if err == nil {
		_ = inside.Release()
		_, _ = inside.Wait() // the test has failed
		t.Errorf("it was started, and said %q", out.all())
		return
	}
	if text := out.all(); text != "" {
		t.Errorf("refused (%v), and yet it said %q", err, text)
	}
	if strings.TrimSpace(err.Error()) == "" {
		t.Error("no reason")
	}
	p.gone(t)
}

// report: what was promised holds, and the sandbox waits until it is released.
func (s suite) report(t *testing.T) {
	p := newPlace(t)
	plan, err := s.compile(p.input(t, "/bin/sh", "-c", ": > began"))
	if err != nil {
		t.Fatal(err)
	}
	stdin, feed := pipe(t)
	_ = feed.Close()
	out := newStream(t)
	inside, err := s.tier.Start(t.Context(), plan, enforce.Stdio{In: stdin, Out: out.w, Err: out.w})
	_ = stdin.Close()
	_ = out.w.Close()
	if err != nil {
		t.Fatal(err)
	}
	rep := inside.Report()
	if rep.Tier != s.tier.Name() || len(rep.Layers) == 0 || rep.Broken() != nil {
		t.Errorf("got %+v", rep)
	}
	if pid := inside.PID(); pid <= 0 {
		t.Errorf("process %d", pid)
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := os.Stat(p.work + "/began"); err == nil {
		t.Error("the program began before it was released")
	}
	if err := inside.Release(); err != nil {
		t.Error(err)
	}
	if r, err := inside.Wait(); err != nil || r.Exit != 0 {
		t.Errorf("%+v %v", r, err)
	}
	for range inside.Denials() { //nolint:revive // it must end
	}
	out.all()
}

// nothingLeft: descriptors, goroutines, threads and mounts are as before.
func (s suite) nothingLeft(t *testing.T) {
	p := newPlace(t)
	s.run(t, p.input(t, "/bin/true"), nil) // what is made once is made
	before := own(t)
	for range 10 {
		s.run(t, p.input(t, "/bin/sh", "-c", "true; exit 1"), nil)
	}
	before.again(t)
}

// owned is what this process has: what a sandbox could leave.
type owned struct{ descriptors, goroutines, mounts, children int }

func own(t *testing.T) owned {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	children := 0
	for _, l := range lists {
		if text, err := os.ReadFile(l); err == nil { // a thread may have ended
			children += len(strings.Fields(string(text)))
		}
	}
	return owned{len(fds), runtime.NumGoroutine(), strings.Count(string(mounts), "\n"), children}
}

// exceeds reports whether o has more of anything than before.
func (o owned) exceeds(before owned) bool {
	return o.descriptors > before.descriptors || o.goroutines > before.goroutines || o.mounts > before.mounts || o.children > before.children
}

// leavesNothing fails a test, when it has ended, that leaves descriptors,
// goroutines, mounts or processes. What ends with its sandbox may take a moment.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := own(t)
	t.Cleanup(func() { before.again(t) })
}

// patience is how long something may take that comes, on the most loaded machine.
const patience = time.Minute

// eventually reports whether something comes to be.
func eventually(so func() bool) bool {
	for end := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// again fails a test that goes on having more than o.
func (o owned) again(t *testing.T) {
	t.Helper()
	var after owned
	if !eventually(func() bool { after = own(t); return !after.exceeds(o) }) {
		t.Errorf("before %+v, after %+v", o, after)
	}
}

// hidden: what was granted at the start can be taken away while it is used.
func (s suite) hidden(t *testing.T) {
	p := newHidden(t)
	in := p.input(t, "/bin/sh", "-c", hideScript)
	file := filepath.Join(p.hidden, "file")
	grant(t, &in, capability.FSRead, file)
	hideWhileRunning(t, s, p, in, file)
}

// paused: nothing of the sandbox runs until it is resumed.
func (s suite) paused(t *testing.T) {
	p := newPlace(t)
	in := p.input(t, "/bin/sh", "-c", `(while :; do echo x >> "$WORK/count"; sleep 0.01; done) & wait`)
	r := s.start(t, in, nil)
	count := filepath.Join(p.work, "count")
	size := func() int64 {
		fi, err := os.Stat(count)
		if err != nil {
			return 0
		}
		return fi.Size()
	}
	eventually(func() bool { return size() > 0 })
	resume, err := r.Pause()
	if err != nil {
		t.Fatal(err)
	}
	before := size()
	time.Sleep(100 * time.Millisecond)
	if after := size(); before == 0 || after != before {
		t.Errorf("it went on: %d bytes, then %d", before, after)
	}
	resume()
	if !eventually(func() bool { return size() > before }) {
		t.Error("it did not go on")
	}
	_ = r.Kill() // it may have ended
	r.wait(t)
}
