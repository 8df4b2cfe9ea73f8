//go:build linux

package gvisor_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// trapped skips where no trap can be had.
func trapped(t *testing.T) {
	t.Helper()
	if dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skip("requires: /dev/fuse that this user can open")
	} else if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
}

// concealed is enforcetest.Concealed, where a trap can be had.
func concealed(t *testing.T) string {
	t.Helper()
	trapped(t)
	return enforcetest.Concealed(t)
}

// waitedOnce is a session that may be waited for more than once.
type waitedOnce struct {
	enforce.Session
	over sync.Once
	err  error
}

func (w *waitedOnce) Wait() (r enforce.Result, err error) {
	w.over.Do(func() { r, w.err = w.Session.Wait() })
	return r, w.err
}

// inquiry is a session that asks, before it is released.
func inquiry(t *testing.T, p *enforcetest.Person, script string) (enforce.Session, *os.File) {
	t.Helper()
	plan := box(t, t.TempDir(), script, func(in *enforce.Input) { in.Ask, in.Quiet = true, []string{"/etc", "/run", "/sys"} })
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := tier(t)
	g.Asker = p
	s, err := g.Start(t.Context(), plan, enforce.Stdio{In: null, Out: w, Err: w})
	_ = errors.Join(w.Close(), null.Close())
	if err != nil {
		t.Fatal(err)
	}
	once := &waitedOnce{Session: s}
	t.Cleanup(func() {
		_ = s.Kill() // it may have ended
		if _, err := once.Wait(); err != nil {
			t.Error(err)
		}
		_ = out.Close()
	})
	return once, out
}

// asks runs a script in a session that asks, and answers what it wrote.
func asks(t *testing.T, p *enforcetest.Person, script string) string {
	t.Helper()
	s, out := inquiry(t, p, script)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each way to touch something hidden succeeds in that very call, and is put once.
func TestAskingAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
		put          []string
	}{
		"open":             {`cat H/file; cat H/file; stat -c %s H/file`, "hidden\nhidden\n7\n", []string{"read H/file"}},
		"look":             {`stat -c %s H/file; test -r H/file && echo yes`, "7\nyes\n", []string{"read H/file"}},
		"list":             {`ls H; cat H/file`, "file\nlink\nout\nsub\nhidden\n", []string{"read H"}},
		"list from within": {`cd H; ls; cat file; cat sub/deep; cd sub; cat deep; cat ../file`, "file\nlink\nout\nsub\nhidden\ndeep\ndeep\nhidden\n", []string{"read H"}},
		"from further in":  {`cd H/sub; ls H; cat deep; ls .; cd ..; cat file`, "file\nlink\nout\nsub\ndeep\ndeep\nhidden\n", []string{"read H"}},
		"leads there":      {`cat H/sub/deep; ls H`, "deep\nsub\n", []string{"read H/sub/deep"}},
		"link":             {`cat H/link`, "hidden\n", []string{"read H/file"}},
		"file, then folder": {`cat H/sub/deep; cd H; ls sub; echo; ls /; cat file`,
			"", []string{"read H/sub/deep", "read H/file"}},
		"absent": {`cat H/absent 2>/dev/null; test -e H/sub/absent || echo no`, "no\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			here := strings.NewReplacer("H", dir)
			p := &enforcetest.Person{Answer: enforcetest.Yes}
			got := asks(t, p, here.Replace(c.script))
			if want := here.Replace(c.want); want != "" && got != want || got == "" && c.want != "" {
				t.Errorf("got %q, want %q", got, want)
			}
			var put []string
			for _, q := range c.put {
				put = append(put, here.Replace(q))
			}
			if !slices.Equal(p.Put(), put) || len(p.Failed()) > 0 {
				t.Errorf("put %q, want %q; %v", p.Put(), put, p.Failed())
			}
		})
	}
}

// Refused is refused: nothing of it is there, whatever is tried, and nobody is asked
// about what the view cannot get: pipes.
func TestAskingRefused(t *testing.T) {
	dir := concealed(t)
	if err := unix.Mkfifo(dir+"/pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: enforcetest.No}
	got := asks(t, p, `cd `+dir+`; exec 2>&-; cat file; ls; ls .; cat link; cat out; cat pipe; echo x > file; echo x >> file; echo x > new; mkdir dir; mv file /tmp/file; cat /tmp/file; rm file; chmod 777 file; truncate -s 0 file; ln file /tmp/l; cat /tmp/l; cat absent; /bin/sh file; true`)
	if got != "" {
		t.Errorf("it got %q", got)
	}
	for _, q := range p.Put() {
		if !slices.Contains([]string{"read " + dir, "read " + dir + "/file", "write " + dir, "write " + dir + "/file"}, q) {
			t.Errorf("put %q", q)
		}
	}
	enforcetest.Unchanged(t, dir, 5)
}

// What is read may not be changed: the answer gives no more than it says.
func TestAskingReadOnly(t *testing.T) {
	dir := concealed(t)
	p := &enforcetest.Person{Answer: enforcetest.Yes}
	if got := asks(t, p, `cd `+dir+`; exec 2>&-; ls >&-; echo x > file; echo x >> sub/deep; mkdir dir; mv file file2; rm file; chmod 777 file; truncate -s 0 file; ln file two; touch new; cat file`); got != "hidden\n" {
		t.Errorf("it got %q", got)
	}
	enforcetest.Unchanged(t, dir, 4)
}

// The call waits for the answer, and nothing is there before.
func TestAskingWaits(t *testing.T) {
	dir := concealed(t)
	put, answer := make(chan enforce.Touch, 1), make(chan struct{})
	p := &enforcetest.Person{Answer: func(_ context.Context, t enforce.Touch) enforce.Answer {
		put <- t
		<-answer
		return enforce.Answer{Allow: true, Show: []enforce.Entry{enforcetest.Bind(t)}}
	}}
	s, out := inquiry(t, p, `cat `+dir+`/file`)
	select {
	case q := <-put:
		t.Fatalf("asked before it was released: %+v", q)
	case <-time.After(100 * time.Millisecond):
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	<-put
	if err := out.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it went on before the answer: %d bytes, %v", n, err)
	}
	close(answer)
	_ = out.SetReadDeadline(time.Time{})
	if text, err := io.ReadAll(out); err != nil || string(text) != "hidden\n" {
		t.Errorf("got %q %v", text, err)
	}
}

// What was shown to the person is what is attached: another object at its name, put
// there while the question waits, is refused.
func TestAskingReplaced(t *testing.T) {
	for name, other := range map[string]func(dir string) error{
		"another file": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/other", []byte("other\n"), 0o644), os.Rename(dir+"/other", dir+"/file"))
		},
		"a link": func(dir string) error {
			return errors.Join(os.Remove(dir+"/file"), os.Symlink("sub/deep", dir+"/file"))
		},
		"a link on the way": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-2"), os.Symlink(dir+"-2", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
			p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
				if err := other(dir); err != nil {
					t.Error(err)
				}
				return enforce.Answer{Allow: true, Show: []enforce.Entry{enforcetest.Bind(touch)}}
			}}
			if got := asks(t, p, `cat `+dir+`/file 2>/dev/null; true`); got != "" {
				t.Errorf("it read %q", got)
			}
			if len(p.Put()) == 0 || len(p.Failed()) == 0 {
				t.Errorf("put %q, not shown %v", p.Put(), p.Failed())
			}
		})
	}
}

// What is denied in a folder is closed at the moment the folder is there, by every
// way, and so is what stands on the way to it from being moved.
func TestAskingMasked(t *testing.T) {
	dir := concealed(t)
	p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		show := []enforce.Entry{enforcetest.Bind(touch)}
		if touch.Path == dir {
			show = append(show, enforce.Entry{Op: enforce.OpMask, Path: dir + "/file"}, enforce.Entry{Op: enforce.OpMask, Path: dir + "/sub", Dir: true})
		}
		return enforce.Answer{Allow: touch.Path == dir, Show: show}
	}}
	if got := asks(t, p, `cd `+dir+`; ls; exec 2>&-; cat file; cat sub/deep; ls sub; cat `+dir+`/file `+dir+`/sub/deep `+dir+`/link; true`); got != "file\nlink\nout\nsub\n" {
		t.Errorf("it got %q", got)
	}
}

// Whoever ends the session takes its questions back, and nothing is left of it.
func TestAskingEnded(t *testing.T) {
	dir := concealed(t)
	put, over := make(chan struct{}), make(chan struct{})
	p := &enforcetest.Person{Answer: func(ctx context.Context, t enforce.Touch) enforce.Answer {
		close(put)
		<-ctx.Done()
		close(over)
		return enforce.Answer{Allow: true, Show: []enforce.Entry{enforcetest.Bind(t)}} // too late
	}}
	s, out := inquiry(t, p, `cat `+dir+`/file`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	<-put
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(); err != nil {
		t.Error(err)
	}
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the question was not taken back")
	}
	if text, _ := io.ReadAll(out); len(text) > 0 {
		t.Errorf("it read %q", text)
	}
}

// followed reads what a session writes until a line, and has it go on, which waits for a
// name in its own /tmp.
func followed(t *testing.T, s enforce.Session, out io.Reader) (until func(last string) string, goOn func(name string)) {
	t.Helper()
	lines := bufio.NewReader(out)
	until = func(last string) (text string) {
		t.Helper()
		for !strings.HasSuffix(text, last+"\n") {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%q: %v", text+line, err)
			}
			text += line
		}
		return text
	}
	goOn = func(name string) {
		t.Helper()
		e, err := s.(*waitedOnce).Session.(enforce.Enterer).Enter(enforce.Command{Args: []string{"/bin/sh", "-c", ": > /tmp/" + name}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Files: [3]*os.File{null(t), null(t), null(t)}})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := e.Wait(); err != nil || r.Exit != 0 {
			t.Fatalf("%+v %v", r, err)
		}
	}
	return until, goOn
}

// What was answered and is taken away is hidden again, with what was answered in it; the
// session goes on, and the next touch asks anew. What is open is told. What a wider answer
// shows stays, and a session that asks has no snapshot.
func TestAskingTakenAway(t *testing.T) {
	dir := concealed(t)
	var refuse atomic.Bool
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if refuse.Load() {
			return enforce.Answer{}
		}
		if touch.Path == dir+"/file" { // and all that lies beside it
			return enforcetest.Whole(t)(ctx, touch)
		}
		return enforcetest.AsWanted(ctx, touch)
	}}
	s, out := inquiry(t, p, `exec 2>&1; D=`+dir+`
		cat $D/sub/deep; cat $D/file; cd $D; cat link; echo x >> sub/deep; exec 9<file
		echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done
		cat $D/file; cat $D/sub/deep; ls $D; echo y >> $D/file; mkdir $D/new
		cat <&9; exec 9<&-; cd /; cat $D/file; echo two; while [ ! -e /tmp/on ]; do sleep 0.05; done
		cat $D/file; echo z >> $D/file; cat $D/file; echo three`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	until, goOn := followed(t, s, out)
	if got := until("one"); got != "deep\nhidden\nhidden\none\n" {
		t.Errorf("it got %q", got)
	}
	refuse.Store(true)
	open, err := s.Hide(dir+"/link", dir, dir+"/absent")
	if err != nil || len(open) != 3 || len(open[0]) > 0 || len(open[1]) == 0 || !slices.ContainsFunc(open[1], func(o enforce.Open) bool { return o.What == "descriptor 9" && o.Path == dir+"/file" }) {
		t.Errorf("open: %+v %v", open, err)
	}
	before := len(p.Put())
	goOn("go")
	got := until("two")
	for _, no := range []string{"deep\n", "link\n", "sub\n"} {
		if strings.Contains(got, no) {
			t.Errorf("it has %q still: %q", no, got)
		}
	}
	if strings.Count(got, "hidden\n") > 1 || len(p.Put()) < before+4 { // by its descriptor
		t.Errorf("it got %q, put %q", got, p.Put()[before:])
	}
	enforcetest.Unchanged(t, dir, 4)
	refuse.Store(false)
	goOn("on")
	if rest := until("three"); rest != "hidden\nhidden\nz\nthree\n" {
		t.Errorf("then it got %q", rest)
	}
	if _, err := enforce.Snapshot(s.(*waitedOnce).Session, enforce.TierGVisor); err == nil {
		t.Error("a snapshot was made of it")
	}
}

// An answer is taken back alone also where who came by a directory that was covered since
// has it: what its folder gives stays.
func TestAskingTakenBeneath(t *testing.T) {
	dir := concealed(t)
	var refuse atomic.Bool
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if refuse.Load() {
			return enforce.Answer{}
		}
		return enforcetest.AsWanted(ctx, touch)
	}}
	s, out := inquiry(t, p, `exec 2>&1; D=`+dir+`
		cd $D/sub; ls $D >/dev/null; echo x >> $D/sub/deep; cat deep
		echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done
		cat deep $D/sub/deep; sh -c 'echo y >> deep' 2>/dev/null; sh -c 'echo z >> '$D/sub/deep 2>/dev/null; echo two`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	until, goOn := followed(t, s, out)
	if got := until("one"); got != "deep\nx\none\n" {
		t.Errorf("it got %q", got)
	}
	refuse.Store(true)
	if _, err := s.Hide(dir + "/sub/deep"); err != nil {
		t.Errorf("hide: %v", err)
	}
	goOn("go")
	if got := until("two"); got != "deep\nx\ndeep\nx\ntwo\n" {
		t.Errorf("it got %q", got)
	}
	if text := enforcetest.Content(t, dir+"/sub/deep"); text != "deep\nx\n" {
		t.Errorf("the host has %q", text)
	}
}
