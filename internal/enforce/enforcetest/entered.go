package enforcetest

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// entered: a second program in a session that runs has what the first one has.
func (s suite) entered(t *testing.T) {
	t.Run("Ends", s.enteredEnds)
	t.Run("Streams", s.enteredStreams)
	t.Run("Same", s.enteredSame)
	t.Run("Denied", s.enteredDenied)
	t.Run("Killed", s.enteredKilled)
	t.Run("With the session", s.enteredWithSession)
	t.Run("Handed over", s.enteredHandedOver)
}

// host is a session whose program waits, for others to enter.
func (s suite) host(t testing.TB, p place, script string, env ...string) *running {
	t.Helper()
	in := p.input(t, "/bin/sh", "-c", script+": > \"$WORK/began\"; exec sleep 600")
	in.Program.Env = append(in.Program.Env, env...)
	r := s.start(t, in, nil)
	p.await(t, "began")
	return r
}

// end ends a session that was only there for others.
func (r *running) end(t testing.TB, p place) ended {
	t.Helper()
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
	e := r.wait(t)
	p.gone(t)
	return e
}

// guest is a program that entered.
type guest struct {
	enforce.Entered
	out, err *stream
}

func (s suite) enter(t testing.TB, r *running, input []byte, env []string, argv ...string) guest {
	t.Helper()
	stdin, feed := pipe(t)
	g := guest{out: newStream(t), err: newStream(t)}
	files := [3]*os.File{stdin, g.out.w, g.err.w}
	var err error
	g.Entered, err = enforce.Enter(r.Session, r.Report().Tier, enforce.Command{Args: argv, Env: env, Dir: "/", Files: files})
	for _, f := range files {
		_ = f.Close()
	}
	if err != nil {
		_ = feed.Close()
		t.Fatal(err)
	}
	go func() {
		_, _ = feed.Write(input) // the program need not read it
		_ = feed.Close()
	}()
	return g
}

func (g guest) wait(t testing.TB) ended {
	t.Helper()
	stop := time.AfterFunc(longest, func() { _ = g.Signal(syscall.SIGKILL) })
	defer stop.Stop()
	res, err := g.Wait()
	if err != nil {
		t.Error(err)
	}
	return ended{Result: res, out: g.out.all(), err: g.err.all()}
}

func (s suite) enteredEnds(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "")
	defer r.end(t, p)
	for _, c := range []struct {
		script       string
		exit, signal int
	}{{"exit 0", 0, 0}, {"exit 3", 3, 0}, {"exit 255", 255, 0}, {"kill -TERM $$", 128 + 15, 15}, {"kill -KILL $$", 128 + 9, 9}} {
		if got := s.enter(t, r, nil, p.env(), "sh", "-c", c.script).wait(t); got.Exit != c.exit || got.Signal != c.signal {
			t.Errorf("%s: got %+v, want exit %d signal %d", c.script, got.Result, c.exit, c.signal)
		}
	}
	if got := s.enter(t, r, nil, p.env(), "no-such-program").wait(t); got.Exit != 127 || !errors.Is(got.CannotExec, os.ErrNotExist) {
		t.Errorf("a program that is not there: got %+v", got.Result)
	}
	g := s.enter(t, r, nil, p.env(), "sh", "-c", "trap 'exit 9' USR1; : > \"$WORK/trapped\"; while :; do sleep 0.01; done")
	p.await(t, "trapped")
	if err := g.Signal(syscall.SIGUSR1); err != nil {
		t.Error(err)
	}
	if got := g.wait(t); got.Exit != 9 {
		t.Errorf("told to end: got %+v", got.Result)
	}
}

func (s suite) enteredStreams(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "")
	defer r.end(t, p)
	data := []byte(strings.Repeat("0123456789abcdef", 1<<14))
	if got := s.enter(t, r, data, p.env(), "cat"); got.wait(t).out != string(data) {
		t.Error("what went in did not come back")
	}
	words := []string{"", "a b", "$(id)", "\n", strings.Repeat("x", 100_000)}
	got := s.enter(t, r, nil, p.env(), append([]string{"printf", `%s\0`}, words...)...).wait(t)
	if got.out != strings.Join(words, "\x00")+"\x00" {
		t.Errorf("arguments: got %d bytes", len(got.out))
	}
	got = s.enter(t, r, nil, p.env(), "sh", "-c", "echo out; echo err >&2; pwd").wait(t)
	if got.out != "out\n/\n" || got.err != "err\n" {
		t.Errorf("got %q and %q", got.out, got.err)
	}
}

// look is what a program can tell of its own confinement.
const look = `ls -l /proc/self/ns | sed 's/.*-> //'; cut -d' ' -f4- /proc/self/mountinfo; cat /proc/self/limits /proc/self/cgroup;
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; ls /proc/self/fd`

func (s suite) enteredSame(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "{ "+look+"; } > \"$WORK/first\"; ")
	got := s.enter(t, r, nil, p.env(), "sh", "-c", "{ "+look+"; }")
	out := got.wait(t)
	first, err := os.ReadFile(p.work + "/first")
	if err != nil {
		t.Fatal(err)
	}
	if s.differs.OwnGroups {
		out.out = strings.Replace(out.out, "0::/program/entered-1\n", "0::/program\n", 1)
	}
	if string(first) != out.out || len(first) < 500 {
		t.Errorf("the first program sees\n%s\nand the second one\n%s%s", first, out.out, out.err)
	}
	r.end(t, p)
}

// enteredDenied tries by a second program what the first one is denied.
func (s suite) enteredDenied(t *testing.T) {
	t.Setenv("ENFORCETEST_SECRET", "x")
	e := newEnemy(t)
	r := s.host(t, e.place, "", e.env...)
	before := e.look(t)
	env := append(e.env, e.place.env()...)
	for _, a := range attempts {
		if a.own && s.differs.OwnKernel || s.differs.NoFilter && slices.Contains(filtered, a.name) || a.name == "all others" {
			continue
		}
		if got := s.enter(t, r, nil, env, "sh", "-c", `cd "$WORK"; `+a.script).wait(t); got.Exit == 0 {
			t.Errorf("%s: it succeeded: %s%s", a.name, got.out, got.err)
		}
	}
	if after := e.look(t); after != before {
		t.Errorf("the host was changed: %s, then %s", before, after)
	}
	r.end(t, e.place)
}

// enteredKilled: what it started ends with it, wherever that has gone, and nothing else.
func (s suite) enteredKilled(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "")
	g := s.enter(t, r, nil, p.env(), "sh", "-c",
		`(setsid sh -c 'sleep 601 & : > "$WORK/away"; sleep 602' > /dev/null 2>&1 &); sleep 603 & while ! test -e "$WORK/away"; do sleep 0.01; done; : > "$WORK/all"; sleep 604`)
	p.await(t, "all")
	if err := g.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if got := g.wait(t); got.Signal != int(syscall.SIGKILL) {
		t.Errorf("got %+v", got.Result)
	}
	got := s.enter(t, r, nil, p.env(), "python3", "-c", `import glob
for p in glob.glob("/proc/[0-9]*/cmdline"): print(open(p).read().replace("\0", " "))`).wait(t)
	for i, left := range []string{"sleep 603", "sleep 604", "sleep 601", "sleep 602"} {
		if i >= 2 && s.differs.Strays {
			break
		}
		if strings.Contains(got.out, left) {
			t.Errorf("%q runs on", left)
		}
	}
	if !strings.Contains(got.out, "sleep 600") {
		t.Errorf("the first program is gone: %q %q", got.out, got.err)
	}
	r.end(t, p)
}

func (s suite) enteredWithSession(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "")
	left := s.enter(t, r, nil, p.env(), "sh", "-c", `setsid sleep 601 > /dev/null 2>&1 & exit 5`)
	if got := left.wait(t); got.Exit != 5 {
		t.Errorf("one that leaves something running: got %+v", got.Result)
	}
	g := s.enter(t, r, nil, p.env(), "sleep", "602")
	r.end(t, p)
	if got := g.wait(t); got.Signal != int(syscall.SIGKILL) {
		t.Errorf("got %+v", got.Result)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c := enforce.Command{Args: []string{"true"}, Dir: "/", Files: [3]*os.File{null, null, null}}
	if _, err := enforce.Enter(r.Session, r.Report().Tier, c); err == nil {
		t.Error("one was started in a session that has ended")
	}
}

// enteredHandedOver: /dev/null is the view's, and no file of the host gets in.
func (s suite) enteredHandedOver(t *testing.T) {
	p := newPlace(t)
	r := s.host(t, p, "")
	defer r.end(t, p)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	g, err := enforce.Enter(r.Session, r.Report().Tier, enforce.Command{Args: []string{"sh", "-c", "cat && echo x && echo y >&2"}, Env: p.env(), Dir: "/", Files: [3]*os.File{null, null, null}})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := g.Wait(); err != nil || res.Exit != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	for _, name := range []string{p.hidden + "/file", p.hidden} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c := enforce.Command{Args: []string{"cat"}, Env: p.env(), Dir: "/", Files: [3]*os.File{f, null, null}}
		if g, err := enforce.Enter(r.Session, r.Report().Tier, c); err == nil {
			t.Errorf("%s was handed over", name)
			_, _ = g.Wait()
		}
	}
}
