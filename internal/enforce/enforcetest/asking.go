package enforcetest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// RunAsking tries a tier whose plans ask at the first touch, by notification or
// by a trap. make returns the tier with an asker in it.
func RunAsking(t *testing.T, make func(enforce.Asker) enforce.Tier, facts enforce.Facts, notify bool) {
	s := asking{make: make, facts: facts, notify: notify}
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"allowed", s.allowed}, {"refused", s.refused}, {"once", s.once}, {"walked", s.walked}, {"changes", s.changes}, {"widened", s.widened},
		{"executed", s.executed}, {"directory", s.directory}, {"ended", s.ended}, {"many", s.many}, {"replaced", s.replaced}, {"hidden again", s.hiddenAgain}, {"hidden from the start on", s.hiddenFromStart}, {"quiet", s.quiet}, {"spawned", s.spawned}, {"named program", s.namedProgram}, {"beneath a cover", s.beneath}, {"taken away with its cover", s.uncovered}, {"taken away one by one", s.oneByOne}, {"taken away often", s.often}, {"nothing left", s.nothingLeft}, {"observed", s.observed}, {"made already", s.madeAlready}, {"report", s.report},
		{"timers", s.timers}, {"odd paths", s.oddPaths}, {"its own paths", s.ownPaths}, {"as it is", s.asIs}, {"rewritten", s.rewritten},
		{"unreadable", s.unreadable}, {"its own root", s.ownRoot}, {"links", s.links}, {"interpreted", s.interpreted},
		{"may", s.may}, {"builds", s.builds}, {"within", s.within},
		{"signals", s.signals}, {"vfork", s.vfork}, {"processes", s.processes}, {"mounts", s.mounts}, {"touches", s.touches},
		{"swapped", s.swapped}, {"killed", s.killed},
	} {
		t.Run(c.name, func(t *testing.T) {
			leavesNothing(t)
			c.test(t)
		})
	}
}

type asking struct {
	make   func(enforce.Asker) enforce.Tier
	facts  enforce.Facts
	notify bool
}

// answers is a Person of whom is told what was put beneath a folder.
type answers struct{ Person }

// put are the kinds and paths of the touches beneath dir, in order.
func (a *answers) put(dir string) (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.asked {
		if rel, err := filepath.Rel(dir, t.Path); err == nil && filepath.IsLocal(rel) {
			all = append(all, strings.TrimSuffix(string(t.Kind)+" "+rel+" "+t.Create, " "))
		}
	}
	return all
}

// show grants exactly what was touched.
func show(t enforce.Touch) enforce.Answer { return shows(Wide(t)) }

func newAnswers(f func(context.Context, enforce.Touch) enforce.Answer) *answers {
	return &answers{Person{Answer: f}}
}

// asked runs a shell script in a view that asks. What it has without asking is
// the base and the folder work.
func (s asking) run(t testing.TB, p place, a *answers, script string) ended {
	t.Helper()
	return suite{tier: s.make(a), facts: s.facts}.run(t, s.input(t, p, script), nil)
}

func (s asking) input(t testing.TB, p place, script string) enforce.Input {
	t.Helper()
	in := p.input(t, "/bin/sh", "-c", script)
	in.Ask, in.Notify, in.Quiet = true, s.notify, []string{"/etc", "/sys", "/run"}
	return in
}

// newHidden is a place outside of what a view has of its own.
func newHidden(t testing.TB) place {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"/tmp", "/var/tmp", "/dev"} {
		if rel, err := filepath.Rel(own, home); err == nil && filepath.IsLocal(rel) {
			t.Skip("requires: a home that does not lie in " + own + ", where nothing of the host is hidden")
		}
	}
	dir, err := os.MkdirTemp(home, "ambit-asking-") //nolint:usetesting // t.TempDir lies in /tmp, which every view has of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return newPlaceIn(t, dir)
}

// mustPrint fails unless the program ended well and printed want.
func mustPrint(t testing.TB, e ended, want string) {
	t.Helper()
	if e.Exit != 0 || e.out != want {
		t.Errorf("exit %d, output %q, want %q; errors %q", e.Exit, e.out, want, e.err)
	}
}

// allowed: each way to touch something hidden succeeds in the same call.
func (s asking) allowed(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"open":      {`cat "$HIDDEN/file"`, "hidden\n"},
		"stat":      {`stat -c %s "$HIDDEN/file"`, "7\n"},
		"list":      {`ls "$HIDDEN"`, "file\nlink\n"},
		"access":    {`test -r "$HIDDEN/file" && echo yes`, "yes\n"},
		"chdir":     {`cd "$HIDDEN" && cat file`, "hidden\n"},
		"redirect":  {`read x < "$HIDDEN/file"; echo "$x"`, "hidden\n"},
		"a link":    {`cat "$HIDDEN/link"`, "hidden\n"},
		"by python": {`python3 -c 'import os; f = os.open(os.environ["HIDDEN"], os.O_PATH); print(os.read(os.open("file", 0, dir_fd=f), 99))'`, "b'hidden\\n'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			if err := os.Symlink("file", filepath.Join(p.hidden, "link")); err != nil {
				t.Fatal(err)
			}
			a := newAnswers(AsWanted)
			mustPrint(t, s.run(t, p, a, c.script), c.want)
			if len(a.put(p.hidden)) == 0 {
				t.Error("nothing was asked")
			}
		})
	}
}

// refused: nothing of it is there, and what is absent is not asked about.
func (s asking) refused(t *testing.T) {
	p := newHidden(t)
	a := newAnswers(No)
	e := s.run(t, p, a, `cat "$HIDDEN/file"; stat "$HIDDEN/file"; ls "$HIDDEN"; cat "$HIDDEN/absent"
		echo x > "$HIDDEN/file"; echo x > "$HIDDEN/new"; mkdir "$HIDDEN/dir"; mv "$HIDDEN/file" "$WORK/"; chmod 777 "$HIDDEN/file"; cd "$HIDDEN"; true`)
	mustPrint(t, e, "")
	for _, q := range a.put(p.hidden) {
		if strings.Contains(q, "absent") {
			t.Errorf("asked about %q, which is not there", q)
		}
	}
	text, err := os.ReadFile(filepath.Join(p.hidden, "file"))
	if names, e := os.ReadDir(p.hidden); err != nil || e != nil || string(text) != "hidden\n" || len(names) != 1 {
		t.Errorf("the host's folder was changed: %q, %v, %v", text, names, err)
	}
}

// walked: who walks a granted tree is asked about it once, and finds all of it. From
// a directory of the view's own that is open, by a name that it does not list, what
// is hidden is asked about or not there.
func (s asking) walked(t *testing.T) {
	p := newHidden(t)
	for i := range 20 {
		dir := filepath.Join(p.hidden, "tree", strings.Repeat("d/", i))
		for _, err := range []error{os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), []byte("found\n"), 0o644), os.Symlink("f", filepath.Join(dir, "l"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	a := newAnswers(AsWanted)
	mustPrint(t, s.run(t, p, a, `cd "$HIDDEN/tree"; find . -type f -size -7k | wc -l; find . -type l -printf x | wc -c; grep -r found . | wc -l; tar -cf - . | tar -tf - | wc -l`), "20\n20\n20\n60\n")
	if put := a.put(p.hidden); !slices.Equal(put, []string{"read tree"}) {
		t.Errorf("asked %q, want once about the tree", put)
	}
	a = newAnswers(No)
	e := s.python(t, p, a, `
d = os.open(os.path.dirname(H), os.O_RDONLY | os.O_DIRECTORY)
for look in (lambda: os.stat("hidden/file", dir_fd=d, follow_symlinks=False), lambda: os.open("hidden/file", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=d)):
    try: print(look())
    except (FileNotFoundError, PermissionError): print("hidden")`)
	mustPrint(t, e, "hidden\nhidden\n")
}

// once: what was granted is not asked about again.
func (s asking) once(t *testing.T) {
	p := newHidden(t)
	a := newAnswers(AsWanted)
	mustPrint(t, s.run(t, p, a, `for i in 1 2 3; do cat "$HIDDEN/file" >/dev/null; stat "$HIDDEN/file" >/dev/null; done; echo done`), "done\n")
	if put := a.put(p.hidden); len(put) != 1 {
		t.Errorf("asked %q, want one question", put)
	}
}

// changes: writing, making, renaming and removing are asked about before the
// kernel locks anything, and then succeed on the host.
func (s asking) changes(t *testing.T) {
	for name, c := range map[string]struct{ script, put, after string }{
		"write":    {`echo new > "$HIDDEN/file"`, "write file", "file=new\n"},
		"append":   {`echo more >> "$HIDDEN/file"`, "write file", "file=hidden\nmore\n"},
		"make":     {`echo new > "$HIDDEN/new"`, "write . new", "file=hidden\n new=new\n"},
		"mkdir":    {`mkdir "$HIDDEN/new"`, "write . new", "file=hidden\n new/"},
		"remove":   {`rm "$HIDDEN/file"`, "write . file", ""},
		"rename":   {`mv "$HIDDEN/file" "$HIDDEN/other"`, "write . file", "other=hidden\n"},
		"symlink":  {`ln -s x "$HIDDEN/new"`, "write . new", "file=hidden\n new@"},
		"truncate": {`truncate -s 3 "$HIDDEN/file"`, "write file", "file=hid"},
		"relative": {`cd "$HIDDEN/.." && echo new > hidden/file`, "write file", "file=new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			a := newAnswers(AsWanted)
			mustPrint(t, s.run(t, p, a, c.script), "")
			if put := a.put(p.hidden); len(put) == 0 || put[len(put)-1] != c.put && put[0] != c.put {
				t.Errorf("asked %q, want %q", put, c.put)
			}
			if got := contents(t, p.hidden); got != c.after {
				t.Errorf("the host has %q, want %q", got, c.after)
			}
		})
	}
}

// contents tells of a folder in one line.
func contents(t testing.TB, dir string) string {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, n := range names {
		switch {
		case n.IsDir():
			all = append(all, n.Name()+"/")
		case n.Type()&os.ModeSymlink != 0:
			all = append(all, n.Name()+"@")
		default:
			text, err := os.ReadFile(filepath.Join(dir, n.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n.Name()+"="+string(text))
		}
	}
	return strings.Join(all, " ")
}

// widened: what was granted for reading becomes writable for a process that
// works in it already.
func (s asking) widened(t *testing.T) {
	p := newHidden(t)
	a := newAnswers(AsWanted)
	mustPrint(t, s.run(t, p, a, `cd "$HIDDEN" && ls && echo new > made && cat made`), "file\nnew\n")
	if got := contents(t, p.hidden); got != "file=hidden\n made=new\n" {
		t.Errorf("the host has %q", got)
	}
}

// executed: reading a program does not make it executable; being asked does.
func (s asking) executed(t *testing.T) {
	for name, answer := range map[string]bool{"allowed": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			if err := os.WriteFile(filepath.Join(p.hidden, "run"), []byte("#!/bin/sh\necho ran\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			a := newAnswers(func(_ context.Context, t enforce.Touch) enforce.Answer {
				if t.Kind == enforce.TouchRun && !answer {
					return enforce.Answer{}
				}
				return show(t)
			})
			e := s.run(t, p, a, `cat "$HIDDEN/run" >/dev/null; "$HIDDEN/run" || echo refused`)
			mustPrint(t, e, map[bool]string{true: "ran\n", false: "refused\n"}[answer])
		})
	}
}

// directory: an answer may show more than was touched, and hides in it what
// stays denied; what was shown before stays.
func (s asking) directory(t *testing.T) {
	p := newHidden(t)
	for _, d := range []string{"a", "a/secret", "a/given"} {
		if err := os.Mkdir(filepath.Join(p.hidden, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.hidden, d, "f"), []byte(d+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		switch touch.Path {
		case filepath.Join(p.hidden, "a/given/f"):
			return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, filepath.Join(p.hidden, "a/given"), true)}}
		case filepath.Join(p.hidden, "a/f"):
			return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, filepath.Join(p.hidden, "a"), false),
				{Op: enforce.OpMask, Path: filepath.Join(p.hidden, "a/secret"), Dir: true}}}
		}
		return enforce.Answer{}
	})
	e := s.run(t, p, a, `cat "$HIDDEN/a/given/f"; cat "$HIDDEN/a/f"; cat "$HIDDEN/a/secret/f" 2>/dev/null || echo masked
		echo new > "$HIDDEN/a/given/g"; ls "$HIDDEN/a/given"`)
	mustPrint(t, e, "a/given\na\nmasked\nf\ng\n")
}

func entry(t testing.TB, path string, write bool) enforce.Entry {
	o := object(t, path)
	return enforce.Entry{Op: enforce.OpBind, Path: path, Source: path, Dir: o.Dir, Dev: o.Dev, Ino: o.Ino, Write: write}
}

// ended: a program that is killed while a question is open is gone at once, and
// the question with it.
func (s asking) ended(t *testing.T) {
	for name, script := range map[string]string{
		"reading": `exec cat "$HIDDEN/file"`, "changing": `exec rm "$HIDDEN/file"`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			waiting, withdrawn := make(chan struct{}), make(chan struct{})
			var first, last sync.Once
			a := newAnswers(func(ctx context.Context, _ enforce.Touch) enforce.Answer {
				first.Do(func() { close(waiting) })
				<-ctx.Done()
				last.Do(func() { close(withdrawn) })
				return enforce.Answer{}
			})
			r := suite{tier: s.make(a), facts: s.facts}.start(t, s.input(t, p, script), nil)
			<-waiting
			begin := time.Now()
			if err := r.Kill(); err != nil {
				t.Error(err)
			}
			if _, err := r.Wait(); err != nil {
				t.Error(err)
			}
			<-withdrawn
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// many: many processes touch the same and different things at once.
func (s asking) many(t *testing.T) {
	p := newHidden(t)
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(p.hidden, "n"+strings.Repeat("x", i)), []byte("ok\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(func(_ context.Context, t enforce.Touch) enforce.Answer {
		time.Sleep(50 * time.Millisecond)
		return show(t)
	})
	e := s.run(t, p, a, `n="$HIDDEN/n"; for i in $(seq 100); do cat "$n" "$HIDDEN/file" & n="${n}x"; done | sort | uniq -c | tr -s ' '; wait`)
	mustPrint(t, e, " 100 hidden\n 100 ok\n")
}

// replaced: what was asked about is not what is there when it is to be shown.
func (s asking) replaced(t *testing.T) {
	p := newHidden(t)
	secret, file := filepath.Join(p.dir, "secret"), filepath.Join(p.hidden, "file")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == file {
			once.Do(func() {
				if err := os.Rename(secret, file); err != nil {
					t.Error(err)
				}
			})
		}
		return show(touch)
	})
	e := s.run(t, p, a, `cat "$HIDDEN/file"; true`)
	if put := a.put(p.hidden); strings.Contains(e.out, "secret") || len(put) != 1 || len(a.failed) != 1 {
		t.Errorf("another object was shown than was asked about: %q, asked %q", e.out, put)
	}
}

// quiet: what is looked for everywhere is not asked about, and not there.
func (s asking) quiet(t *testing.T) {
	for name, watch := range map[string]bool{"as it is": false, "with opens watched": true} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			a := newAnswers(AsWanted)
			in := s.input(t, p, `cat /etc/shadow /sys/kernel/mm /run/x 2>/dev/null; cat /etc/passwd >/dev/null; ls /etc/passwd; ls /sys 2>/dev/null; true`)
			in.WatchOpens = watch
			mustPrint(t, suite{tier: s.make(a), facts: s.facts}.run(t, in, nil), "/etc/passwd\n")
			if put := a.put("/"); len(put) != 0 {
				t.Errorf("asked %q, want nothing", put)
			}
		})
	}
}

// spawned: a pack that may not start a second program is asked about it once.
func (s asking) spawned(t *testing.T) {
	for name, answer := range map[string]bool{"allowed": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			in := s.input(t, p, `/bin/echo one; /bin/echo two; true`)
			in.AdHoc, in.AskSpawn = false, true
			in.Executables = []enforce.Object{object(t, mustResolve(t, "/bin/sh"))}
			a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
				return enforce.Answer{Allow: answer && touch.Kind == enforce.TouchRun && touch.Path == ""}
			})
			e := suite{tier: s.make(a), facts: s.facts}.run(t, in, nil)
			want := ""
			if answer {
				want = "one\ntwo\n"
			}
			if e.out != want {
				t.Errorf("output %q, want %q; exit %d, errors %q %v", e.out, want, e.Exit, e.err, e.CannotExec)
			}
			if n := len(a.asked); answer && n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
		})
	}
}

// madeAlready: to make what is there already is nothing to ask about, and fails
// as it does everywhere.
func (s asking) madeAlready(t *testing.T) {
	for name, script := range map[string]string{
		"mkdir": `mkdir "$HIDDEN"`, "mkdir -p": `mkdir -p "$HIDDEN"`, "symlink": `ln -s x "$HIDDEN/file"`, "mkfifo": `mkfifo "$HIDDEN/file"`,
		"link": `ln "$WORK/file" "$HIDDEN/file"`, "open": `set -C; echo x 2>/dev/null > "$HIDDEN/file"`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			a := newAnswers(No)
			s.run(t, p, a, script+`; true`)
			for _, put := range a.put(filepath.Dir(p.hidden)) {
				if strings.Contains(put, "write ") {
					t.Errorf("asked %q", put)
				}
			}
			if got := contents(t, p.hidden); got != "file=hidden\n" {
				t.Errorf("the host has %q", got)
			}
		})
	}
}

// observer also hears of what is started.
type observer struct {
	*answers
	started []string // guarded by mu
	links   []string // guarded by mu
	opened  []string // guarded by mu
}

func (o *observer) Opened(t enforce.Touch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened = append(o.opened, t.Path)
}

func (o *observer) Linked(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.links = append(o.links, path)
}

func (o *observer) Started(t enforce.Touch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started = append(o.started, t.Program+" "+t.Path)
}

// observed: who wants to know hears of each program that is started, though
// nothing is asked about it, and of those that the sandbox made.
func (s asking) observed(t *testing.T) {
	p := newHidden(t)
	if err := os.Symlink("file", filepath.Join(p.hidden, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.hidden, "tool"), []byte("#!/bin/sh\necho tool\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	in := s.input(t, p, `/bin/echo one; cp /bin/echo /tmp/made; /tmp/made two; /bin/absent; cat "$HIDDEN/link"; "$HIDDEN/tool"; exec cat "$READ/file"`)
	in.AskSpawn, in.WatchOpens = true, true
	o := &observer{answers: newAnswers(AsWanted)}
	o.Answer = func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == "" {
			return enforce.Answer{Allow: true}
		}
		return AsWanted(ctx, touch)
	}
	tier := s.make(o)
	e := suite{tier: tier, facts: s.facts}.run(t, in, nil)
	if e.out != "one\ntwo\nhidden\ntool\nread\n" {
		t.Errorf("exit %d, output %q, errors %q", e.Exit, e.out, e.err)
	}
	cat := "sh " + mustResolve(t, "/bin/cat")
	want := []string{"sh " + mustResolve(t, "/bin/echo"), "sh " + mustResolve(t, "/bin/cp"), "sh ", cat, cat}
	tool := "sh " + filepath.Join(p.hidden, "tool") // was asked about; it may be told all the same
	o.started = slices.DeleteFunc(o.started, func(s string) bool { return s == tool })
	if !slices.Equal(o.started, want) {
		t.Errorf("told of %q, want %q", o.started, want)
	}
	if read := filepath.Join(p.read, "file"); !slices.Contains(o.opened, read) || slices.Contains(o.opened, filepath.Join(p.hidden, "file")) {
		t.Errorf("told that %q were opened, want %s among them, and nothing hidden", o.opened, read)
	}
	if link := filepath.Join(p.hidden, "link"); !slices.Contains(o.links, link) {
		t.Errorf("told of the links %q, want %s among them", o.links, link)
	}
}

// report: it says which way first touches are heard of.
func (s asking) report(t *testing.T) {
	e := s.run(t, newHidden(t), newAnswers(No), `true`)
	want := map[bool]string{false: "by a trap", true: "by notification"}[s.notify]
	if !slices.ContainsFunc(e.report.Layers, func(l enforce.Layer) bool {
		return l.Name == "asking" && l.Promised && l.Holds && !l.Weaker && strings.Contains(l.Detail, want)
	}) {
		t.Errorf("the report has no layer that asks %s: %+v", want, e.report.Layers)
	}
}

func mustResolve(t testing.TB, path string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

// beneath: a program that was started in a folder of the trap goes on with
// relative paths when the whole folder is granted.
func (s asking) beneath(t *testing.T) {
	p := newHidden(t)
	for _, d := range []string{"a", "a/secret"} {
		if err := os.Mkdir(filepath.Join(p.hidden, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.hidden, d, "f"), []byte(d+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := s.input(t, p, `cat file a/f; cat a/secret/f 2>/dev/null || echo masked; cat "$HIDDEN/a/f"; echo x >> file || echo read-only`)
	in.Program.Dir = p.hidden
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchWrite {
			return enforce.Answer{}
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, p.hidden, false),
			{Op: enforce.OpMask, Path: filepath.Join(p.hidden, "a/secret"), Dir: true}}}
	})
	e := suite{tier: s.make(a), facts: s.facts}.run(t, in, nil)
	mustPrint(t, e, "hidden\na\nmasked\na\nread-only\n")
}

// namedProgram: a program that a pack names is asked about when it is executed,
// and others are not there.
func (s asking) namedProgram(t *testing.T) {
	for name, answer := range map[string]bool{"allowed": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			in := s.input(t, p, `/usr/bin/cat "$WORK/file"; /usr/bin/cat "$WORK/file"; /usr/bin/id; true`)
			in.AdHoc, in.Base.Programs, in.Program.Path = false, []string{"/usr/bin"}, mustResolve(t, "/bin/sh")
			loader := object(t, mustResolve(t, "/lib64/ld-linux-x86-64.so.2"))
			in.Executables = []enforce.Object{object(t, mustResolve(t, "/bin/sh")), loader}
			in.AskRun = []enforce.Object{object(t, mustResolve(t, "/usr/bin/cat")), loader}
			a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
				if !answer || touch.Kind != enforce.TouchRun {
					return enforce.Answer{}
				}
				return show(touch)
			})
			e := suite{tier: s.make(a), facts: s.facts}.run(t, in, nil)
			want := ""
			if answer {
				want = "work\nwork\n"
			}
			if e.out != want || strings.Contains(e.out, "uid=") {
				t.Errorf("output %q, want %q; exit %d, errors %q %v", e.out, want, e.Exit, e.err, e.CannotExec)
			}
			if n := len(a.asked); answer && n != 1 {
				t.Errorf("asked %d times, want once: %+v", n, a.asked)
			}
			if len(a.failed) > 0 {
				t.Errorf("not shown: %v", a.failed)
			}
		})
	}
}
