package microvm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// person answers touches by a function, and remembers what was put.
type person struct {
	answer func(context.Context, enforce.Touch) enforce.Answer

	mu     sync.Mutex
	asked  []string // guarded by mu: kind and path
	failed []error  // guarded by mu
}

func (p *person) Touched(ctx context.Context, t enforce.Touch) enforce.Answer {
	p.mu.Lock()
	p.asked = append(p.asked, string(t.Kind)+" "+t.Path)
	p.mu.Unlock()
	return p.answer(ctx, t)
}

func (p *person) NotShown(_ context.Context, _ enforce.Touch, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, cause)
}

func (p *person) put() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *person) notShown() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.failed)
}

// bind is a grant of exactly what was touched.
func bind(t enforce.Touch) enforce.Entry {
	return enforce.Entry{Op: enforce.OpBind, Path: t.Path, Source: t.Path, Dir: t.Dir, Dev: t.Dev, Ino: t.Ino}
}

func yes(_ context.Context, t enforce.Touch) enforce.Answer {
	return enforce.Answer{Allow: true, Show: []enforce.Entry{bind(t)}}
}

func no(context.Context, enforce.Touch) enforce.Answer { return enforce.Answer{} }

// concealed is a folder of the host that a view which asks has not.
func concealed(t testing.TB) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(home+"/", "/tmp/") {
		t.Skip("requires: a home that does not lie in /tmp, where nothing of the host is hidden")
	}
	dir, err := os.MkdirTemp(home, "ambit-asking-") //nolint:usetesting // t.TempDir lies in /tmp, which every view has of its own
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, err := range []error{
		os.WriteFile(dir+"/file", []byte("hidden\n"), 0o644), os.Mkdir(dir+"/sub", 0o755),
		os.WriteFile(dir+"/sub/deep", []byte("deep\n"), 0o644), os.Symlink("file", dir+"/link"), os.Symlink("/etc/shadow", dir+"/out"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// asking is the plan of a script that asks.
func asking(t testing.TB, script string) enforce.Plan {
	t.Helper()
	in := input(t, script)
	in.Ask, in.Quiet, in.Home = true, []string{"/etc", "/run", "/sys"}, enforce.HomeNone
	return plan(t, in)
}

// asks runs a script in a machine that asks, and answers what it wrote.
func asks(t testing.TB, p *person, script string) string {
	t.Helper()
	tr := tier(t)
	tr.Asker = p
	r := start(t, tr, asking(t, script), "")
	r.wait(t)
	return r.out.String()
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
		"leads there":      {`cat H/sub/deep; ls H`, "deep\nsub\n", []string{"read H/sub/deep"}},
		"link":             {`cat H/link`, "hidden\n", []string{"read H/file"}},
		"absent":           {`cat H/absent 2>/dev/null; test -e H/sub/absent || echo no`, "no\n", nil},
		"from elsewhere":   {`cat H/sub/deep; cd H/sub; cat deep; cat ../file`, "deep\ndeep\nhidden\n", []string{"read H/sub/deep", "read H/file"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			here := strings.NewReplacer("H", dir)
			p := &person{answer: yes}
			got := asks(t, p, here.Replace(c.script))
			if want := here.Replace(c.want); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			var put []string
			for _, q := range c.put {
				put = append(put, here.Replace(q))
			}
			if !slices.Equal(p.put(), put) || len(p.notShown()) > 0 {
				t.Errorf("put %q, want %q; %v", p.put(), put, p.notShown())
			}
		})
	}
}

// Refused is refused: nothing of it is there, whatever is tried, and nobody is asked
// about what the view cannot get: pipes. What an answer that refuses would have shown is
// not shown either.
func TestAskingRefused(t *testing.T) {
	dir := concealed(t)
	if err := errors.Join(unix.Mkfifo(dir+"/pipe", 0o644), os.WriteFile(dir+"/run", []byte("#!/bin/sh\necho ran\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	p := &person{answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		return enforce.Answer{Show: []enforce.Entry{bind(touch)}}
	}}
	got := asks(t, p, `cd `+dir+`; exec 2>&-; cat `+dir+`/file; ls `+dir+`; cd `+dir+`; cat link `+dir+`/link `+dir+`/out `+dir+`/pipe; `+dir+`/run; cd /; F=`+dir+`/file; echo x > $F; echo x >> $F; echo x > `+dir+`/new; mkdir `+dir+`/dir; mv $F /tmp/file; cat /tmp/file; rm $F; chmod 777 $F; truncate -s 0 $F; ln $F /tmp/l; cat /tmp/l; cat `+dir+`/absent; true`)
	if got != "" {
		t.Errorf("it got %q", got)
	}
	for _, q := range p.put() {
		if !slices.Contains([]string{"read " + dir, "read " + dir + "/file", "write " + dir, "write " + dir + "/file", "run " + dir + "/run"}, q) {
			t.Errorf("put %q", q)
		}
	}
	unchanged(t, dir, 6)
}

// unchanged fails if a program has changed the host's folder.
func unchanged(t *testing.T, dir string, names int) {
	t.Helper()
	text, err := os.ReadFile(dir + "/file")
	list, e := os.ReadDir(dir)
	info, x := os.Stat(dir + "/file")
	if err := errors.Join(err, e, x); err != nil || string(text) != "hidden\n" || len(list) != names || info.Mode() != 0o644 {
		t.Errorf("the host's folder was changed: %q %v %v %v", text, list, info, err)
	}
}

// What is answered for reading may not be changed, whatever is tried.
func TestAskingReadOnly(t *testing.T) {
	dir := concealed(t)
	p := &person{answer: yes}
	if got := asks(t, p, `cd `+dir+`; exec 2>&-; ls >&-; echo x > file; echo x >> sub/deep; mkdir dir; mv file file2; rm file; chmod 777 file; truncate -s 0 file; ln file two; touch new; cat file`); got != "hidden\n" {
		t.Errorf("it got %q", got)
	}
	unchanged(t, dir, 4)
}

// The call waits for the answer, and nothing is there before: not in the machine
// either. A program that is killed waits no more, and its question is taken back.
func TestAskingWaits(t *testing.T) {
	dir := concealed(t)
	secret := "only-after-the-" + "answer"
	write(t, dir, "file", secret+"\n")
	write(t, dir, "last", "last\n")
	put, answer, over := make(chan enforce.Touch, 1), make(chan struct{}), make(chan struct{})
	p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == dir+"/sub/deep" {
			<-ctx.Done()
			close(over)
			return enforce.Answer{}
		}
		put <- touch
		if touch.Path == dir+"/file" {
			<-answer
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{bind(touch)}}
	}}
	tr := tier(t)
	tr.Asker = p
	r := start(t, tr, asking(t, `timeout -s KILL 1 cat `+dir+`/sub/deep 2>&-; echo over; cat `+dir+`/file; cat `+dir+`/last`), "")
	<-over
	touch := <-put
	time.Sleep(300 * time.Millisecond)
	select {
	case <-put:
		t.Error("it was put twice")
	default:
	}
	if held, _ := holds(t, r.PID(), secret); len(held) > 0 {
		t.Errorf("before the answer the content lies in %v", held)
	}
	close(answer)
	<-put // of the last file: by then the first one was read
	if held, all := holds(t, r.PID(), secret); all && len(held) == 0 {
		t.Error("after the answer the content is found nowhere: it would not have been before either")
	}
	r.wait(t)
	if touch.Path != dir+"/file" || r.out.String() != "over\n"+secret+"\nlast\n" {
		t.Errorf("put %+v, got %q", touch, r.out.String())
	}
}

// holds names the processes of a machine in whose memory a text lies. all says that
// every one of them could be looked at: an ordinary user may not read that of QEMU.
func holds(t *testing.T, pid int, text string) (in []int, all bool) {
	t.Helper()
	for _, pid := range append(children(t, pid), pid) {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err != nil {
			return nil, false
		}
		mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return nil, false
		}
		for line := range strings.Lines(string(maps)) {
			var from, to int64
			if n, _ := fmt.Sscanf(line, "%x-%x", &from, &to); n != 2 || to-from > 1<<30 {
				continue
			}
			b := make([]byte, to-from)
			n, _ := mem.ReadAt(b, from) // some parts cannot be read
			if strings.Contains(string(b[:n]), text) {
				in = append(in, pid)
				break
			}
		}
		_ = mem.Close()
	}
	return in, true
}

// What was shown to the person is what is copied: another object at its name, put
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
		for what, script := range map[string]string{"read": `cat D/file`, "changed": `echo x >> D/file`, "run": `D/file`} {
			t.Run(name+" "+what, func(t *testing.T) {
				dir := concealed(t)
				t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
				p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
					if err := other(dir); err != nil {
						t.Error(err)
					}
					return asWanted(ctx, touch)
				}}
				if got := asks(t, p, strings.ReplaceAll(script, "D", dir)+` 2>/dev/null; true`); got != "" {
					t.Errorf("it read %q", got)
				}
				if len(p.put()) != 1 || len(p.notShown()) != 1 {
					t.Errorf("put %q, not shown %v", p.put(), p.notShown())
				}
				if text := content(t, dir+"/file"); strings.Contains(text, "x") {
					t.Errorf("the host has %q", text)
				}
			})
		}
	}
}

// A folder that was shown, and is another one when its changes are asked about, is not
// changed: neither it nor what is there now.
func TestAskingReplacedSince(t *testing.T) {
	dir := concealed(t)
	t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
	var once sync.Once
	p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchWrite {
			once.Do(func() {
				if err := errors.Join(os.Rename(dir, dir+"-2"), os.Mkdir(dir, 0o755)); err != nil {
					t.Error(err)
				}
			})
		}
		return asWanted(ctx, touch)
	}}
	if got := asks(t, p, `ls `+dir+`; exec 2>&-; mkdir `+dir+`/dir && echo made; rm `+dir+`/link && echo gone; true`); got != "file\nlink\nout\nsub\n" {
		t.Errorf("it got %q", got)
	}
	if len(p.notShown()) != 1 {
		t.Errorf("not shown %v", p.notShown())
	}
	unchanged(t, dir+"-2", 4)
}

// A folder that is answered whole is there for whoever is in it already, without what
// is denied in it, and with what was granted in it before the program began.
func TestAskingWider(t *testing.T) {
	dir := concealed(t)
	for _, name := range []string{"granted", "secret"} {
		if err := os.Mkdir(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/"+name, "f", name+"\n")
	}
	folder := object(t, dir)
	p := &person{answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		return enforce.Answer{Allow: true, Show: []enforce.Entry{
			{Op: enforce.OpBind, Path: dir, Source: dir, Dir: true, Dev: folder.Dev, Ino: folder.Ino},
			{Op: enforce.OpBind, Path: dir + "/secret", Source: dir + "/secret", Dir: true, Pin: true}, // as for what lies on the way to a mask
			{Op: enforce.OpMask, Path: dir + "/secret", Dir: true}, {Op: enforce.OpMask, Path: dir + "/file"}}}
	}}
	in := input(t, `cat sub/deep granted/f; ls; cd sub; cat deep; cd ..; echo new > granted/f; exec 2>&-; cat file && echo open; cat secret/f && echo open; cat `+dir+`/file `+dir+`/secret/f; ls `+dir+`/secret && echo open; echo x > sub/deep; true`)
	in.Ask, in.Home, in.Program.Dir = true, enforce.HomeNone, dir
	in.Volumes = append(in.Volumes, enforce.Volume{Source: object(t, dir+"/granted"), Target: dir + "/granted", Write: true})
	tr := tier(t)
	tr.Asker = p
	r := start(t, tr, plan(t, in), "")
	r.wait(t)
	// Where it began, names are those that were touched there, and those of the view.
	if got := r.out.String(); got != "deep\ngranted\ngranted\nsub\ndeep\n" || len(p.notShown()) > 0 {
		t.Errorf("it got %q %q; not shown %v", got, r.err.String(), p.notShown())
	}
	if text, err := os.ReadFile(dir + "/granted/f"); err != nil || string(text) != "new\n" {
		t.Errorf("what was granted holds %q %v", text, err)
	}
}

// Whoever ends the session takes its questions back, and nothing is left of it.
func TestAskingEnded(t *testing.T) {
	dir := concealed(t)
	put, over := make(chan struct{}), make(chan struct{})
	p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		close(put)
		<-ctx.Done()
		close(over)
		return enforce.Answer{Allow: true, Show: []enforce.Entry{bind(touch)}} // too late
	}}
	tr := tier(t)
	tr.Asker = p
	r := start(t, tr, asking(t, `cat `+dir+`/file`), "")
	<-put
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait(t)
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the question was not taken back")
	}
	if r.out.Len() > 0 || len(p.notShown()) > 0 {
		t.Errorf("it read %q; not shown %v", r.out.String(), p.notShown())
	}
}

// What does not fit into the machine is refused by name, and the session goes on.
func TestAskingTooMuch(t *testing.T) {
	dir := concealed(t)
	if err := errors.Join(os.WriteFile(dir+"/sub/large", nil, 0o644), os.Truncate(dir+"/sub/large", 1<<30)); err != nil {
		t.Fatal(err)
	}
	p := &person{answer: yes}
	if got := asks(t, p, `cat `+dir+`/sub/large 2>/dev/null || echo no; cat `+dir+`/file`); got != "no\nhidden\n" {
		t.Errorf("it got %q", got)
	}
	if all := p.notShown(); len(all) != 1 || !strings.Contains(all[0].Error(), "too much of it") {
		t.Errorf("not shown %v", all)
	}
}
