package microvm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// asking is the plan of a script that asks.
func asking(t testing.TB, script string) enforce.Plan {
	t.Helper()
	in := input(t, script)
	in.Ask, in.Quiet, in.Home = true, []string{"/etc", "/run", "/sys"}, enforce.HomeNone
	return plan(t, in)
}

// asks runs a script in a machine that asks, and answers what it wrote.
func asks(t testing.TB, p *enforcetest.Person, script string) string {
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
			dir := enforcetest.Concealed(t)
			here := strings.NewReplacer("H", dir)
			p := &enforcetest.Person{Answer: enforcetest.Yes}
			got := asks(t, p, here.Replace(c.script))
			if want := here.Replace(c.want); got != want {
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
// about what the view cannot get: pipes. What an answer that refuses would have shown is
// not shown either.
func TestAskingRefused(t *testing.T) {
	dir := enforcetest.Concealed(t)
	if err := errors.Join(unix.Mkfifo(dir+"/pipe", 0o644), os.WriteFile(dir+"/run", []byte("#!/bin/sh\necho ran\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		return enforce.Answer{Show: []enforce.Entry{enforcetest.Bind(touch)}}
	}}
	got := asks(t, p, `cd `+dir+`; exec 2>&-; cat `+dir+`/file; ls `+dir+`; cd `+dir+`; cat link `+dir+`/link `+dir+`/out `+dir+`/pipe; `+dir+`/run; cd /; F=`+dir+`/file; echo x > $F; echo x >> $F; echo x > `+dir+`/new; mkdir `+dir+`/dir; mv $F /tmp/file; cat /tmp/file; rm $F; chmod 777 $F; truncate -s 0 $F; ln $F /tmp/l; cat /tmp/l; cat `+dir+`/absent; true`)
	if got != "" {
		t.Errorf("it got %q", got)
	}
	for _, q := range p.Put() {
		if !slices.Contains([]string{"read " + dir, "read " + dir + "/file", "write " + dir, "write " + dir + "/file", "run " + dir + "/run"}, q) {
			t.Errorf("put %q", q)
		}
	}
	enforcetest.Unchanged(t, dir, 6)
}

// What is answered for reading may not be changed, whatever is tried.
func TestAskingReadOnly(t *testing.T) {
	dir := enforcetest.Concealed(t)
	p := &enforcetest.Person{Answer: enforcetest.Yes}
	if got := asks(t, p, `cd `+dir+`; exec 2>&-; ls >&-; echo x > file; echo x >> sub/deep; mkdir dir; mv file file2; rm file; chmod 777 file; truncate -s 0 file; ln file two; touch new; cat file`); got != "hidden\n" {
		t.Errorf("it got %q", got)
	}
	enforcetest.Unchanged(t, dir, 4)
}

// The call waits for the answer, and nothing is there before: not in the machine
// either. A program that is killed waits no more, and its question is taken back.
func TestAskingWaits(t *testing.T) {
	dir := enforcetest.Concealed(t)
	secret := "only-after-the-" + "answer"
	write(t, dir, "file", secret+"\n")
	write(t, dir, "last", "last\n")
	put, answer, over := make(chan enforce.Touch, 1), make(chan struct{}), make(chan struct{})
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == dir+"/sub/deep" {
			<-ctx.Done()
			close(over)
			return enforce.Answer{}
		}
		put <- touch
		if touch.Path == dir+"/file" {
			<-answer
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{enforcetest.Bind(touch)}}
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
				dir := enforcetest.Concealed(t)
				t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
				p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
					if err := other(dir); err != nil {
						t.Error(err)
					}
					return enforcetest.AsWanted(ctx, touch)
				}}
				if got := asks(t, p, strings.ReplaceAll(script, "D", dir)+` 2>/dev/null; true`); got != "" {
					t.Errorf("it read %q", got)
				}
				if len(p.Put()) != 1 || len(p.Failed()) != 1 {
					t.Errorf("put %q, not shown %v", p.Put(), p.Failed())
				}
				if text := enforcetest.Content(t, dir+"/file"); strings.Contains(text, "x") {
					t.Errorf("the host has %q", text)
				}
			})
		}
	}
}

// A folder that was shown, and is another one when its changes are asked about, is not
// changed: neither it nor what is there now.
func TestAskingReplacedSince(t *testing.T) {
	dir := enforcetest.Concealed(t)
	t.Cleanup(func() { _ = os.RemoveAll(dir + "-2") })
	var once sync.Once
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchWrite {
			once.Do(func() {
				if err := errors.Join(os.Rename(dir, dir+"-2"), os.Mkdir(dir, 0o755)); err != nil {
					t.Error(err)
				}
			})
		}
		return enforcetest.AsWanted(ctx, touch)
	}}
	if got := asks(t, p, `ls `+dir+`; exec 2>&-; mkdir `+dir+`/dir && echo made; rm `+dir+`/link && echo gone; true`); got != "file\nlink\nout\nsub\n" {
		t.Errorf("it got %q", got)
	}
	if len(p.Failed()) != 1 {
		t.Errorf("not shown %v", p.Failed())
	}
	enforcetest.Unchanged(t, dir+"-2", 4)
}

// A folder that is answered whole is there for whoever is in it already, without what
// is denied in it, and with what was granted in it before the program began.
func TestAskingWider(t *testing.T) {
	dir := enforcetest.Concealed(t)
	for _, name := range []string{"granted", "secret"} {
		if err := os.Mkdir(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/"+name, "f", name+"\n")
	}
	folder := object(t, dir)
	p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
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
	if got := r.out.String(); got != "deep\ngranted\ngranted\nsub\ndeep\n" || len(p.Failed()) > 0 {
		t.Errorf("it got %q %q; not shown %v", got, r.err.String(), p.Failed())
	}
	if text, err := os.ReadFile(dir + "/granted/f"); err != nil || string(text) != "new\n" {
		t.Errorf("what was granted holds %q %v", text, err)
	}
}

// Whoever ends the session takes its questions back, and nothing is left of it.
func TestAskingEnded(t *testing.T) {
	dir := enforcetest.Concealed(t)
	put, over := make(chan struct{}), make(chan struct{})
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		close(put)
		<-ctx.Done()
		close(over)
		return enforce.Answer{Allow: true, Show: []enforce.Entry{enforcetest.Bind(touch)}} // too late
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
	if r.out.Len() > 0 || len(p.Failed()) > 0 {
		t.Errorf("it read %q; not shown %v", r.out.String(), p.Failed())
	}
}

// What does not fit into the machine is refused by name, and the session goes on.
func TestAskingTooMuch(t *testing.T) {
	dir := enforcetest.Concealed(t)
	if err := errors.Join(os.WriteFile(dir+"/sub/large", nil, 0o644), os.Truncate(dir+"/sub/large", 1<<30)); err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: enforcetest.Yes}
	if got := asks(t, p, `cat `+dir+`/sub/large 2>/dev/null || echo no; cat `+dir+`/file`); got != "no\nhidden\n" {
		t.Errorf("it got %q", got)
	}
	if all := p.Failed(); len(all) != 1 || !strings.Contains(all[0].Error(), "too much of it") {
		t.Errorf("not shown %v", all)
	}
}
