package enforcetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// hiddenAgain: what is taken away is asked about anew, and what is open of it is
// told.
func (s asking) hiddenAgain(t *testing.T) {
	p := newHidden(t)
	var times atomic.Int32
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == filepath.Join(p.hidden, "file") && times.Add(1) > 1 {
			return enforce.Answer{}
		}
		return show(touch)
	})
	hideWhileRunning(t, suite{tier: s.make(a), facts: s.facts}, p, s.input(t, p, hideScript), filepath.Join(p.hidden, "file"))
	if n := times.Load(); n < 2 {
		t.Errorf("asked %d times about the file", n)
	}
}

// hideScript opens a file and tells so, waits until it was taken away, and
// tries it again by its name and by what it has open.
const hideScript = `exec 5<"$HIDDEN/file"; cat "$HIDDEN/file"; echo > "$WORK/one"
	while [ ! -e "$WORK/two" ]; do sleep 0.02; done
	cat "$HIDDEN/file" 2>/dev/null || echo gone; cat <&5 2>/dev/null || echo cut`

func hideWhileRunning(t testing.TB, s suite, p place, in enforce.Input, hide string) {
	t.Helper()
	r := s.start(t, in, nil)
	p.await(t, "one")
	open, err := r.Hide(hide)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(open[0], func(o enforce.Open) bool { return o.What == "descriptor 5" && o.Program == "sh" && o.Path == hide }) {
		t.Errorf("open are %+v, want descriptor 5 of sh", open)
	}
	if again, err := r.Hide(hide); err != nil || len(again[0]) != 0 {
		t.Errorf("hidden twice: %+v, %v", again, err)
	}
	p.say(t, "two")
	if s.differs.Cuts {
		mustPrint(t, r.wait(t), "hidden\ngone\ncut\n")
		return
	}
	mustPrint(t, r.wait(t), "hidden\ngone\nhidden\n")
}

// hiddenFromStart: the same for what was granted when the program was started: it
// is asked about from then on, and there is nothing in its place.
func (s asking) hiddenFromStart(t *testing.T) {
	for _, name := range []string{"file", "dir"} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			path := filepath.Join(p.hidden, name)
			if err := errors.Join(os.Mkdir(filepath.Join(p.hidden, "dir"), 0o755), os.WriteFile(filepath.Join(p.hidden, "dir/f"), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
			a := newAnswers(No)
			in := s.input(t, p, `ls "$HIDDEN/`+name+`" >/dev/null; echo > "$WORK/one"; while [ ! -e "$WORK/two" ]; do sleep 0.02; done
				cat "$HIDDEN/file" || ls "$HIDDEN/dir" || test -e "$HIDDEN/`+name+`" || echo gone`)
			grant(t, &in, capability.FSRead, path)
			r := suite{tier: s.make(a), facts: s.facts}.start(t, in, nil)
			p.await(t, "one")
			if put := a.put(p.hidden); len(put) != 0 {
				t.Errorf("asked %q before it was hidden", put)
			}
			if _, err := r.Hide(path); err != nil {
				t.Error(err)
			}
			p.say(t, "two")
			mustPrint(t, r.wait(t), "gone\n")
			if put := a.put(p.hidden); !slices.Contains(put, "read "+name) {
				t.Errorf("asked %q, want a question about %q", put, name)
			}
		})
	}
}

// uncovered: when a folder is taken away, so is what was granted in it before,
// and what was shown beneath it to a program that is there.
func (s asking) uncovered(t *testing.T) {
	p := newHidden(t)
	var over atomic.Bool
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if over.Load() {
			return enforce.Answer{}
		}
		if touch.Path == filepath.Join(p.hidden, "file") {
			return show(touch)
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, p.hidden, false)}}
	})
	in := s.input(t, p, `cat "$HIDDEN/file"; cat "$HIDDEN/other" other; echo > "$WORK/one"
		while [ ! -e "$WORK/two" ]; do sleep 0.02; done
		cat "$HIDDEN/file" "$HIDDEN/other" file other 2>/dev/null || echo gone`)
	in.Program.Dir = p.hidden
	if err := os.WriteFile(filepath.Join(p.hidden, "other"), []byte("other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := suite{tier: s.make(a), facts: s.facts}.start(t, in, nil)
	p.await(t, "one")
	over.Store(true)
	if _, err := r.Hide(p.hidden); err != nil {
		t.Error(err)
	}
	p.say(t, "two")
	mustPrint(t, r.wait(t), "hidden\nother\nother\ngone\n")
}

// oneByOne: what was taken away out of a folder stays away when the folder is
// taken away around it, in whatever order both were granted.
func (s asking) oneByOne(t *testing.T) {
	for name, first := range map[string]string{"inner first": "given/file", "outer first": "file"} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			given := filepath.Join(p.hidden, "given")
			if err := errors.Join(os.Mkdir(given, 0o755), os.WriteFile(filepath.Join(given, "file"), []byte("given\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
			var over atomic.Bool
			a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
				switch {
				case over.Load():
					return enforce.Answer{}
				case touch.Kind == enforce.TouchWrite || touch.Path == filepath.Join(given, "file"):
					return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, given, true)}}
				}
				return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, p.hidden, false)}}
			})
			in := s.input(t, p, `cat "$HIDDEN/`+first+`" "$HIDDEN/file"; echo new >> "$HIDDEN/given/file"; cat "$HIDDEN/given/file"; echo > "$WORK/one"
				while [ ! -e "$WORK/two" ]; do sleep 0.02; done
				cat "$HIDDEN/given/file" 2>/dev/null || echo gone; echo more >> "$HIDDEN/given/file" || echo refused; ls "$HIDDEN" || echo gone`)
			r := suite{tier: s.make(a), facts: s.facts}.start(t, in, nil)
			p.await(t, "one")
			over.Store(true)
			for _, path := range []string{given, p.hidden} {
				if _, err := r.Hide(path); err != nil {
					t.Error(err)
				}
			}
			p.say(t, "two")
			out := map[string]string{"given/file": "given\n", "file": "hidden\n"}[first] + "hidden\ngiven\nnew\ngone\nrefused\ngone\n"
			mustPrint(t, r.wait(t), out)
		})
	}
}

// await waits until the program has made a file in the work folder.
func (p place) await(t testing.TB, name string) {
	t.Helper()
	// An emulated machine may take half a minute to start Python.
	if !eventually(func() bool { _, err := os.Stat(filepath.Join(p.work, name)); return err == nil }) {
		t.Errorf("the program has not made %q", name)
	}
}

// say makes a file there that the program waits for.
func (p place) say(t testing.TB, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.work, name), nil, 0o644); err != nil {
		t.Error(err)
	}
}

// often: what is taken away and granted again while it is used is there as it is,
// or not at all. Where something is just being mounted there is nothing else.
func (s asking) often(t *testing.T) {
	p := newHidden(t)
	a := newAnswers(AsWanted)
	in := s.input(t, p, "")
	in.Program.Path, in.Program.Argv = "/usr/bin/python3", []string{"python3", "-c", libc + `
def work():
    while not os.path.exists(W + "/two"):
        for name in ("/file", "/dir/file"):
            try:
                with open(H + name) as f: seen.add(f.read())
                seen.add(os.stat(H + name).st_size)
                seen.update(os.listdir(H + "/dir"))
            except OSError as e: seen.add(e.errno)
seen = set()
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
os.close(os.open(W + "/one", os.O_CREAT))
for t in threads: t.join()
print(sorted(map(str, seen - {errno.ENOENT, errno.EACCES, errno.ESTALE})))`}
	dir := filepath.Join(p.hidden, "dir")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte("hidden\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	r := suite{tier: s.make(a), facts: s.facts}.start(t, in, nil)
	p.await(t, "one")
	times := 0
	// At least a second, and on a slow machine until it was asked some times.
	for begin := time.Now(); time.Since(begin) < time.Second || len(a.put(p.hidden)) < 5 && time.Since(begin) < time.Minute; times++ {
		for _, name := range []string{"file", "dir", "dir/file"} {
			if _, err := r.Hide(filepath.Join(p.hidden, name)); err != nil {
				t.Error(err)
			}
		}
	}
	p.say(t, "two")
	mustPrint(t, r.wait(t), "['7', 'file', 'hidden\\n']\n")
	t.Logf("asked %d times while taken away %d times", len(a.put(p.hidden)), times)
	if len(a.put(p.hidden)) < 5 {
		t.Errorf("asked %d times while taken away %d times", len(a.put(p.hidden)), times)
	}
}

// nothingLeft: no descriptors, goroutines and mounts of a sandbox that asked.
func (s asking) nothingLeft(t *testing.T) {
	once := func() {
		p := newHidden(t)
		s.run(t, p, newAnswers(AsWanted), `cat "$HIDDEN/file"; cd "$HIDDEN" && echo x > new`)
	}
	once()
	before := own(t)
	for range 5 {
		once()
	}
	before.again(t)
}
