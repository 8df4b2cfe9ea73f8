//go:build linux

package gvisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/gvisor"
)

// Each change of a name waits, and is made in that very call.
func TestAskingChanged(t *testing.T) {
	trapped(t)
	enforcetest.AskChanged(t, asks)
}

// What is changed of a file that is there waits too, by each call, and is asked about once.
// Nothing more is changed than the answer says.
func TestAskingWritten(t *testing.T) {
	trapped(t)
	for name, c := range map[string]struct{ script, want string }{
		"append":   {`echo more >> F; cat F`, "hidden\nmore\n"},
		"truncate": {`: > F; cat F`, ""},
		"mode":     {`chmod 600 F; stat -c %a F`, "600\n"},
		"times":    {`touch -d 2001-02-03T04:05:06Z F; stat -c %Y F`, "981173106\n"},
		"by link":  {`ln -s F /tmp/l; echo more >> /tmp/l; cat F`, "hidden\nmore\n"},
		"by two":   {`ln -s F /tmp/l; ln -s l /tmp/m; cd /tmp; echo more >> m; cat F`, "hidden\nmore\n"},
		"after":    {`cat F >/dev/null; echo more >> F; cat F`, "hidden\nmore\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			p := &enforcetest.Person{Answer: enforcetest.AsWanted}
			got := asks(t, p, `exec 2>&1; `+strings.ReplaceAll(c.script, "F", dir+"/file"))
			if got != c.want {
				t.Errorf("it got %q", got)
			}
			want := []string{"write " + dir + "/file"}
			if name == "after" || name == "mode" { // which looks at it before
				want = append([]string{"read " + dir + "/file"}, want...)
			}
			if !slices.Equal(p.Put(), want) || len(p.Failed()) > 0 {
				t.Errorf("put %q, want %q; not shown %v", p.Put(), want, p.Failed())
			}
			if text := enforcetest.Content(t, dir+"/file"); c.want != "" && strings.HasPrefix(c.want, "hidden") && text != c.want {
				t.Errorf("the host has %q", text)
			}
		})
	}
}

// A program that is started waits, starts in that very call, and says who asked. One that
// was answered to be read alone does not start, and one that nobody can run is not asked about.
func TestAskingStarted(t *testing.T) {
	trapped(t)
	enforcetest.AskStarted(t, asks, "/bin/sh", " in the sandbox, whose kernel says so)")
}

// A folder is removed by descriptors that were opened before somebody answered about it, and
// one that was answered within a folder that was, is changed too.
func TestAskingChangedWithin(t *testing.T) {
	trapped(t)
	for name, c := range map[string]struct {
		script string
		put    []string
		gone   string
	}{
		"by descriptors":     {`rm -r H/sub`, []string{"read H/sub", "write H/sub", "write H"}, "sub"},
		"by a search":        {`find H -name deep -delete`, []string{"read H", "write H/sub"}, "sub/deep"},
		"a file in a folder": {`ls H >/dev/null; cat H/file >/dev/null; : > H/file; echo x >> H/file`, []string{"read H", "write H/file"}, ""},
		"then its folder":    {`ls H >/dev/null; echo x >> H/file; rm H/file; mkdir H/new`, []string{"read H", "write H/file", "write H"}, "file"},
		"a folder in one":    {`ls H >/dev/null; mkdir H/sub/new; rm H/sub/deep`, []string{"read H", "write H/sub"}, "sub/deep"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			p := &enforcetest.Person{Answer: enforcetest.AsWanted}
			if got := asks(t, p, `exec 2>&1; `+strings.ReplaceAll(c.script, "H", dir)); got != "" {
				t.Errorf("it said %q", got)
			}
			var want []string
			for _, q := range c.put {
				want = append(want, strings.ReplaceAll(q, "H", dir))
			}
			if !slices.Equal(p.Put(), want) || len(p.Failed()) > 0 {
				t.Errorf("put %q, want %q; not shown %v", p.Put(), want, p.Failed())
			}
			if _, err := os.Lstat(dir + "/" + c.gone); c.gone != "" && err == nil {
				t.Errorf("%s is there still", c.gone)
			}
		})
	}
}

// held is a session whose question waits. answer lets it go on.
func held(t *testing.T, script string, then func(context.Context, enforce.Touch) enforce.Answer) (s enforce.Session, out *os.File, p *enforcetest.Person, answer func()) {
	t.Helper()
	put, goOn := make(chan struct{}, 300), make(chan struct{})
	p = &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		put <- struct{}{}
		select {
		case <-goOn:
			return then(ctx, touch)
		case <-ctx.Done():
			return enforce.Answer{}
		}
	}}
	s, out = inquiry(t, p, script)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-put:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was asked")
	}
	return s, out, p, sync.OnceFunc(func() { close(goOn) })
}

// rest is what a session writes until its end.
func rest(t *testing.T, out io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// The call waits for the answer, and the host has nothing of it before. A signal that is
// handled and a pause meanwhile do not make it fail, and ask nobody anew.
func TestAskingChangeWaits(t *testing.T) {
	trapped(t)
	for name, c := range map[string]struct {
		script string
		pause  bool
	}{
		"answered": {`echo more >> F && echo done`, false},
		"signal":   {`trap 'echo sig' USR1; (sleep 0.3; kill -USR1 $$; sleep 0.3; kill -USR1 $$) & echo more >> F && echo done`, false},
		"paused":   {`echo more >> F && echo done`, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			s, out, p, answer := held(t, strings.ReplaceAll(c.script, "F", dir+"/file"), enforcetest.AsWanted)
			time.Sleep(time.Second)
			enforcetest.Unchanged(t, dir, 4)
			if c.pause {
				resume, err := s.Pause()
				if err != nil {
					t.Fatal(err)
				}
				resume()
			}
			answer()
			if got := rest(t, out); !strings.HasSuffix(got, "done\n") || len(p.Put()) != 1 {
				t.Errorf("it wrote %q, put %q", got, p.Put())
			}
			if got := enforcetest.Content(t, dir+"/file"); got != "hidden\nmore\n" {
				t.Errorf("the host has %q", got)
			}
		})
	}
}

// What was shown to the person is what is changed: another object at its name, put there
// while the question waits, is not, and neither is what a link at it leads to.
func TestAskingChangeReplaced(t *testing.T) {
	trapped(t)
	for name, c := range map[string]struct {
		script string
		other  func(dir string) error
	}{
		"another file": {`echo x >> H/file`, func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/other", []byte("hidden\n"), 0o644), os.Rename(dir+"/other", dir+"/file"))
		}},
		"a link": {`echo x >> H/file`, func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/other", []byte("hidden\n"), 0o644), os.Remove(dir+"/file"), os.Symlink("other", dir+"/file"))
		}},
		"a link on the way": {`echo x >> H/file`, func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-2"), os.Symlink(dir+"-2", dir))
		}},
		"another folder": {`mkdir H/sub/new`, func(dir string) error {
			return errors.Join(os.Rename(dir+"/sub", dir+"/was"), os.Mkdir(dir+"/sub", 0o755), os.WriteFile(dir+"/sub/deep", []byte("deep\n"), 0o644))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
			first := sync.OnceFunc(func() {
				if err := c.other(dir); err != nil {
					t.Error(err)
				}
			})
			p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
				first()
				return enforcetest.AsWanted(ctx, touch)
			}}
			asks(t, p, `exec 2>&-; `+strings.ReplaceAll(c.script, "H", dir)+`; true`)
			if len(p.Put()) == 0 || len(p.Failed()) == 0 {
				t.Errorf("put %q, not shown %v", p.Put(), p.Failed())
			}
			for _, made := range []string{"/sub/new", "/was/new"} {
				if _, err := os.Lstat(dir + made); err == nil {
					t.Errorf("the host has %s", made)
				}
			}
			if text := enforcetest.Content(t, dir+"/file"); text != "hidden\n" {
				t.Errorf("the host has %q", text)
			}
		})
	}
}

// Who is killed while a question waits ends at once, and the question is taken back.
func TestAskingChangeKilled(t *testing.T) {
	dir := concealed(t)
	over := make(chan struct{})
	p := &enforcetest.Person{Answer: func(ctx context.Context, _ enforce.Touch) enforce.Answer {
		<-ctx.Done()
		close(over)
		return enforce.Answer{}
	}}
	s, out := inquiry(t, p, `exec 2>&-; sh -c 'echo x >> `+dir+`/file' & sleep 1; kill -9 $!; wait $!; echo gone; sleep 60`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	_ = out.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 5)
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "gone\n" {
		t.Errorf("got %q %v", b, err)
	}
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the question was not taken back")
	}
	enforcetest.Unchanged(t, dir, 4)
}

// Two hundred processes that ask are asked about, and go on; beyond the bound calls are
// refused at once, and the session lives.
func TestAskingChangeFlood(t *testing.T) {
	flood(t, concealed(t), `(echo x > H/n$i)`, `ls H | grep -c ^n`)
}

// The same holds for reading.
func TestAskingReadFlood(t *testing.T) {
	dir := concealed(t)
	for i := range 300 {
		if err := os.WriteFile(fmt.Sprintf("%s/n%d", dir, i), []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flood(t, dir, `(read x < H/n$i && : > /tmp/n$i)`, `ls /tmp | grep -c ^n`)
}

// flood has 300 processes make a call in H, of which count tells the number that went on.
func flood(t *testing.T, dir, call, count string) {
	t.Helper()
	script := `exec 2>&1; i=0; while [ $i -lt 300 ]; do ` + call + ` & i=$((i+1)); done; sleep 8; echo made; wait; ` + count + `; echo ended`
	_, out, p, answer := held(t, strings.ReplaceAll(script, "H", dir), enforcetest.AsWanted)
	text := make([]byte, 0, 1<<16)
	for !strings.Contains(string(text), "made\n") {
		n, err := out.Read(text[len(text):cap(text)])
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		text = text[:len(text)+n]
	}
	if n := strings.Count(string(text), "ermission denied"); n != 300-256 || len(p.Put()) != 256 {
		t.Errorf("%d were refused, %d asked", n, len(p.Put()))
	}
	answer()
	if got := rest(t, out); !strings.HasSuffix(got, "256\nended\n") {
		t.Errorf("it wrote %q", got)
	}
}

// The line on which is asked is the sentry's alone, and no session has one that does not ask.
func TestAskingLine(t *testing.T) {
	trapped(t)
	p := &enforcetest.Person{Answer: enforcetest.No}
	s, _ := inquiry(t, p, `sleep 60`)
	if got := withLine(t, s.PID()); !slices.Equal(got, []string{"runsc-sandbox"}) {
		t.Errorf("asking: %q have it", got)
	}
	silent, err := tier(t).Start(t.Context(), box(t, t.TempDir(), `sleep 60`, nil), enforce.Stdio{In: null(t), Out: null(t), Err: null(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := withLine(t, silent.PID()); len(got) > 0 {
		t.Errorf("not asking: %q have it", got)
	}
	_ = silent.Kill()
	if _, err := silent.Wait(); err != nil {
		t.Error(err)
	}
}

// withLine are the processes of a session that have the line on which is asked.
func withLine(t *testing.T, agent int) (names []string) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", agent))
	if err != nil || len(lists) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	dirs, line := []string{fmt.Sprintf("/proc/%d", agent)}, ""
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may have ended
		for pid := range strings.FieldsSeq(string(text)) {
			dirs = append(dirs, "/proc/"+pid)
		}
	}
	for _, dir := range dirs {
		text, _ := os.ReadFile(dir + "/cmdline")
		if _, rest, ok := strings.Cut(string(text), "--pass-fd="); ok {
			n, _, _ := strings.Cut(rest, ":")
			if line, err = os.Readlink(dir + "/fd/" + n); err != nil || !strings.HasPrefix(line, "socket:") {
				t.Fatalf("the line is %q, %v", line, err)
			}
		}
	}
	for _, dir := range dirs {
		all, err := filepath.Glob(dir + "/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range all {
			if is, _ := os.Readlink(fd); line != "" && is == line { // closed meanwhile: it has none
				text, _ := os.ReadFile(dir + "/cmdline")
				name, _, _ := strings.Cut(string(text), "\x00")
				names = append(names, name)
			}
		}
	}
	return names
}

// A session that is ended takes its questions back, and nothing is changed after it.
func TestAskingChangeEnded(t *testing.T) {
	dir := concealed(t)
	s, out, _, answer := held(t, `echo x >> `+dir+`/file; echo ended`, enforcetest.AsWanted)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	answer()
	if _, err := s.Wait(); err != nil {
		t.Error(err)
	}
	if got := rest(t, out); got != "" {
		t.Errorf("it wrote %q", got)
	}
	enforcetest.Unchanged(t, dir, 4)
}

// What is answered to be changed within a folder that was answered to be read is changed
// alone, also where it had been answered to be read before the folder.
func TestAskingChangedAlone(t *testing.T) {
	dir := concealed(t)
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		switch {
		case touch.Kind == enforce.TouchWrite && touch.Path != dir+"/sub/deep":
			return enforce.Answer{}
		case touch.Path == dir+"/file":
			return enforcetest.Whole(t)(ctx, touch)
		}
		return enforcetest.AsWanted(ctx, touch)
	}}
	if got := asks(t, p, `D=`+dir+`; exec 2>&-; cat $D/sub/deep $D/file; echo x >> $D/sub/deep; cat $D/sub/deep; echo y >> $D/file; mkdir $D/new $D/sub/new; true`); got != "deep\nhidden\ndeep\nx\n" || len(p.Failed()) > 0 {
		t.Errorf("it got %q, not shown %v", got, p.Failed())
	}
	enforcetest.Unchanged(t, dir, 4)
	if _, err := os.Lstat(dir + "/sub/new"); err == nil {
		t.Error("the folder beside was changed")
	}
}

// A mount gets more rights only where it is the object's that was answered about.
func TestAskingChangedReplaced(t *testing.T) {
	trapped(t)
	dir := concealed(t)
	var first enforce.Entry
	put, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(put) })
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		switch {
		case touch.Kind == enforce.TouchWrite:
			return enforce.Answer{}
		case touch.Path == dir+"/file":
			a := enforcetest.AsWanted(ctx, touch)
			first = a.Show[0]
			return a
		}
		once()
		<-goOn
		return enforce.Answer{}
	}}
	s, out := inquiry(t, p, `exec 2>&-; cat `+dir+`/file `+dir+`/sub/deep; echo x >> `+dir+`/file; true`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	<-put
	other := first
	other.Write, other.Ino = true, first.Ino+1
	if err := gvisor.Widen(s.(*waitedOnce).Session, other); err == nil || !strings.Contains(err.Error(), "which was replaced") {
		t.Errorf("another object got the right: %v", err)
	}
	close(goOn)
	if got := rest(t, out); got != "hidden\n" {
		t.Errorf("it got %q", got)
	}
	enforcetest.Unchanged(t, dir, 4)
}

// What is denied in a folder is closed when the folder, which was answered to be read, may be
// changed: by every way, and it cannot be moved from where it is closed.
func TestAskingChangedMasked(t *testing.T) {
	dir := concealed(t)
	p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		show := []enforce.Entry{enforcetest.Wide(touch)}
		if touch.Kind == enforce.TouchWrite {
			show = append(show, enforce.Entry{Op: enforce.OpMask, Path: dir + "/file"}, enforce.Entry{Op: enforce.OpMask, Path: dir + "/sub", Dir: true})
		}
		return enforce.Answer{Allow: touch.Path == dir, Show: show}
	}}
	if got := asks(t, p, `cd `+dir+`; exec 2>&-; ls >&-; mkdir new; cat file link sub/deep; ls sub; echo x >> file; echo x > link; mkdir sub/new; mv sub other; mv file new/file; rm file; ls new; true`); got != "" || len(p.Failed()) > 0 {
		t.Errorf("it got %q, not shown %v", got, p.Failed())
	}
	enforcetest.Unchanged(t, dir, 5)
	if list, err := os.ReadDir(dir + "/sub"); err != nil || len(list) != 1 {
		t.Errorf("what is denied has %v, %v", list, err)
	}
}
