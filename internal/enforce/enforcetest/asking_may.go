package enforcetest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// may: a program that asks whether it may write or execute something is told
// yes where somebody can still be asked, and nobody is asked for that. What it
// may not for reasons of its own it is told as ever.
func (s asking) may(t *testing.T) {
	p := newHidden(t)
	for name, mode := range map[string]os.FileMode{"run": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(p.hidden, name), []byte("#!/bin/sh\necho ran\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(func(_ context.Context, t enforce.Touch) enforce.Answer {
		if t.Kind != enforce.TouchRead {
			return enforce.Answer{}
		}
		return show(t)
	})
	e := s.run(t, p, a, `for f in run plain; do cat "$HIDDEN/$f" >/dev/null; for may in r w x; do test -$may "$HIDDEN/$f" && echo $f $may; done; done
		test -x "$HIDDEN/file" || echo file; test -w "$HIDDEN/absent" || echo absent; test -w "$HIDDEN/link" || echo link`)
	mustPrint(t, e, "run r\nrun w\nrun x\nplain r\nplain w\nfile\nabsent\nlink\n")
	if put, want := a.put(p.hidden), []string{"read run", "read plain", "read file"}; !slices.Equal(put, want) {
		t.Errorf("asked %q, want %q", put, want)
	}
}

// builds: a program in a writable directory that may be executed can be removed,
// replaced and written anew, and is asked about again then.
func (s asking) builds(t *testing.T) {
	const run = `printf '#!/bin/sh\necho %s\n' one > run; chmod +x run; ./run; `
	for name, c := range map[string]struct {
		script, want string
		asked        int
	}{
		"written":  {`printf 'echo two\n' >> run; ./run`, "one\none\ntwo\n", 1},
		"removed":  {`rm run; printf '#!/bin/sh\necho two\n' > run; chmod +x run; ./run`, "one\ntwo\n", 2},
		"replaced": {`printf '#!/bin/sh\necho two\n' > new; chmod +x new; mv new run; ./run`, "one\ntwo\n", 2},
		"moved":    {`mv run sub/; test -e run || sub/run`, "one\none\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			if err := os.Mkdir(filepath.Join(p.hidden, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			a := newAnswers(AsWanted)
			mustPrint(t, s.run(t, p, a, `cd "$HIDDEN"; mkdir made; `+run+c.script), c.want)
			asked := 0
			for _, q := range a.put(p.hidden) {
				if q == "run run" || q == "run sub/run" {
					asked++
				}
			}
			if asked != c.asked {
				t.Errorf("asked %q, want %d questions about execution", a.put(p.hidden), c.asked)
			}
		})
	}
	t.Run("in a directory", s.buildsDirectory)
}

// buildsDirectory: a directory whose programs may be executed can be removed too,
// and what is protected in a writable directory stays so.
func (s asking) buildsDirectory(t *testing.T) {
	p := newHidden(t)
	kept := filepath.Join(p.hidden, "kept")
	for _, d := range []string{"out", "kept"} {
		if err := os.Mkdir(filepath.Join(p.hidden, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.hidden, d, "run"), []byte("#!/bin/sh\necho ran\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchWrite && touch.Path != p.hidden {
			return enforce.Answer{}
		}
		e := entry(t, touch.Path, touch.Kind == enforce.TouchWrite)
		if touch.Kind == enforce.TouchRun {
			e = entry(t, filepath.Dir(touch.Path), false)
			e.Exec = true
		}
		show := []enforce.Entry{e}
		if touch.Path == p.hidden { // what must not be changed in it
			show = append(show, entry(t, kept, false))
		}
		return enforce.Answer{Allow: true, Show: show}
	})
	e := s.run(t, p, a, `cd "$HIDDEN"; mkdir made; out/run; kept/run; rm -r out && test ! -e out && echo removed
		echo x >> kept/run || echo protected; rm kept/run || echo protected; mv kept other || echo protected; kept/run`)
	mustPrint(t, e, "ran\nran\nremoved\nprotected\nprotected\nprotected\nran\n")
}
