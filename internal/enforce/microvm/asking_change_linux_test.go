package microvm_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// wide is a grant of what was touched, with the right that was wanted.
func wide(touch enforce.Touch) enforce.Entry {
	e := bind(touch)
	e.Write, e.Exec = touch.Kind == enforce.TouchWrite, touch.Kind == enforce.TouchRun
	return e
}

func asWanted(_ context.Context, t enforce.Touch) enforce.Answer {
	return enforce.Answer{Allow: true, Show: []enforce.Entry{wide(t)}}
}

// content is what the host has at a path.
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// script makes a program of a folder.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	write(t, dir, name, text)
	if err := os.Chmod(dir+"/"+name, 0o755); err != nil {
		t.Fatal(err)
	}
}

// A program that is started waits, starts in that very call, and says who asked: where it
// was hidden, and where it was answered for reading before. One that was answered for
// reading alone does not start, and one that cannot be executed on the host neither.
func TestAskingStarted(t *testing.T) {
	dir := concealed(t)
	script(t, dir, "run", "#!/bin/sh\necho ran $1\n")
	script(t, dir, "tool", "#!/bin/sh\necho tool\n")
	write(t, dir, "plain", "#!/bin/sh\necho ran\n")
	var asked enforce.Touch
	p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		asked = touch
		return asWanted(ctx, touch)
	}}
	if got := asks(t, p, dir+`/run it; `+dir+`/run again; stat -c %a `+dir+`/run; cat `+dir+`/plain >/dev/null; `+dir+`/plain 2>&-; cat `+dir+`/tool >/dev/null; `+dir+`/tool`); got != "ran it\nran again\n755\ntool\n" {
		t.Errorf("it got %q", got)
	}
	if want := []string{"run " + dir + "/run", "read " + dir + "/plain", "read " + dir + "/tool", "run " + dir + "/tool"}; !slices.Equal(p.put(), want) {
		t.Errorf("put %q, want %q", p.put(), want)
	}
	if !strings.HasPrefix(asked.Program, "sh (process ") || !strings.HasSuffix(asked.Program, " in the machine, which says so)") || len(asked.Argv) != 3 || !slices.Equal(asked.Argv[:2], []string{"sh", "-c"}) || asked.PID != 0 {
		t.Errorf("asked by %q %q, process %d", asked.Program, asked.Argv, asked.PID)
	}
	for name, answer := range map[string]func(context.Context, enforce.Touch) enforce.Answer{"read": yes, "no": no} {
		p = &person{answer: answer}
		if got := asks(t, p, `exec 2>&-; `+dir+`/run; `+dir+`/run; true`); got != "" {
			t.Errorf("answered with %s, it ran: %q", name, got)
		}
	}
}

// A hidden file that is opened to be changed waits, is changed in that very call, and
// what became of it is on the host.
func TestAskingWritten(t *testing.T) {
	dir := concealed(t)
	was, err := os.Stat(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{answer: asWanted}
	if got := asks(t, p, `cd /; echo more >> `+dir+`/file; cat `+dir+`/file; echo new > `+dir+`/sub/deep; cat `+dir+`/sub/deep`); got != "hidden\nmore\nnew\n" {
		t.Errorf("it got %q", got)
	}
	if want := []string{"write " + dir + "/file", "write " + dir + "/sub/deep"}; !slices.Equal(p.put(), want) || len(p.notShown()) > 0 {
		t.Errorf("put %q, want %q; not shown %v", p.put(), want, p.notShown())
	}
	is, err := os.Stat(dir + "/file")
	if err != nil || !os.SameFile(was, is) || is.Mode() != was.Mode() || content(t, dir+"/file") != "hidden\nmore\n" || content(t, dir+"/sub/deep") != "new\n" {
		t.Errorf("the host has %q and %q, %v", content(t, dir+"/file"), content(t, dir+"/sub/deep"), err)
	}
}

// What was changed in the machine is not covered by what is answered later, and the
// folder around it is changed beside it.
func TestAskingWrittenTwice(t *testing.T) {
	dir := concealed(t)
	p := &person{answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		e := wide(touch)
		if strings.HasPrefix(touch.Path, dir+"/sub") { // its folder
			sub := object(t, dir)
			e.Path, e.Source, e.Dir, e.Write, e.Dev, e.Ino = dir, dir, true, true, sub.Dev, sub.Ino
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{e}}
	}}
	if got := asks(t, p, `echo more >> `+dir+`/file; echo new > `+dir+`/sub/deep; cat `+dir+`/file; echo last >> `+dir+`/file; mkdir `+dir+`/dir; echo x > `+dir+`/dir/x; rm `+dir+`/link; mv `+dir+`/sub `+dir+`/moved`); got != "hidden\nmore\n" {
		t.Errorf("it got %q", got)
	}
	if content(t, dir+"/file") != "hidden\nmore\nlast\n" || content(t, dir+"/moved/deep") != "new\n" || content(t, dir+"/dir/x") != "x\n" || len(p.notShown()) > 0 {
		t.Errorf("not shown %v", p.notShown())
	}
	for _, gone := range []string{"/link", "/sub"} {
		if _, err := os.Lstat(dir + gone); err == nil {
			t.Errorf("%s is there still", gone)
		}
	}
}

// whole grants the directory that was touched, or that a file lies in, as it was wanted.
func whole(t *testing.T) func(context.Context, enforce.Touch) enforce.Answer {
	return func(_ context.Context, touch enforce.Touch) enforce.Answer {
		e := wide(touch)
		if !touch.Dir {
			dir := object(t, filepath.Dir(touch.Path))
			e.Path, e.Source, e.Dir, e.Dev, e.Ino = dir.Path, dir.Path, true, dir.Dev, dir.Ino
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{e}}
	}
}

// Each change of a name waits, is made in that very call once the folder was answered, and
// is on the host: where the folder is hidden, and where it was answered for reading before,
// also by a program that is in it.
func TestAskingChanged(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		gone   string
		has    string // on the host; "" a folder
		text   string
	}{
		"create":   {`echo new > H/new`, "", "new", "new\n"},
		"append":   {`echo new >> H/file`, "", "file", "hidden\nnew\n"},
		"truncate": {`truncate -s 3 H/file`, "", "file", "hid"},
		"mkdir":    {`mkdir H/new`, "", "new", ""},
		"unlink":   {`rm H/file`, "file", "sub", ""},
		"rmdir":    {`rmdir H/empty`, "empty", "file", "hidden\n"},
		"rename":   {`mv H/file H/sub/deep`, "file", "sub/deep", "hidden\n"},
		"replace":  {`echo new > H/tmp; mv H/tmp H/file`, "tmp", "file", "new\n"},
		"link":     {`ln H/file H/new`, "", "new", "hidden\n"},
		"symlink":  {`ln -s file H/new`, "", "new", "hidden\n"},
		"by link":  {`echo new > H/link`, "", "file", "new\n"},
	} {
		for way, before := range map[string]string{"hidden": "", "read": "ls H >/dev/null; ", "from within": "cd H; ls >/dev/null; "} {
			t.Run(name+"/"+way, func(t *testing.T) {
				dir := concealed(t)
				here := strings.NewReplacer("H", dir)
				if way == "from within" {
					here = strings.NewReplacer("cd H", "cd "+dir, " H/", " ", "H/", "")
				}
				if err := os.Mkdir(dir+"/empty", 0o755); err != nil {
					t.Fatal(err)
				}
				p := &person{answer: whole(t)}
				if got := asks(t, p, here.Replace(before+c.script)+" 2>&1"); got != "" {
					t.Errorf("it said %q; put %q, not shown %v", got, p.put(), p.notShown())
				}
				if c.gone != "" {
					if _, err := os.Lstat(dir + "/" + c.gone); err == nil {
						t.Errorf("%s is there still", c.gone)
					}
				}
				if c.text != "" && content(t, dir+"/"+c.has) != c.text {
					t.Errorf("the host has %q", content(t, dir+"/"+c.has))
				} else if _, err := os.Stat(dir + "/" + c.has); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A file that somebody changes on the host while the program has it is left as it is
// there, and so is what a link that came into its place leads to.
func TestAskingWrittenBeside(t *testing.T) {
	for name, c := range map[string]struct {
		beside func(dir string) error
		want   string // at "file"
	}{
		"changed":  {func(dir string) error { return os.WriteFile(dir+"/file", []byte("the host's\n"), 0o644) }, "the host's\n"},
		"replaced": {func(dir string) error { return os.Rename(dir+"/sub/deep", dir+"/file") }, "deep\n"},
		"a link":   {func(dir string) error { return relink(dir+"/file", "sub/deep") }, "deep\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			p := &person{answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
				if touch.Path == dir+"/out-of-it" {
					if err := c.beside(dir); err != nil {
						t.Error(err)
					}
				}
				return asWanted(ctx, touch)
			}}
			write(t, dir, "out-of-it", "\n")
			tr := tier(t)
			tr.Asker = p
			r := start(t, tr, asking(t, `exec 3>>`+dir+`/file; cat `+dir+`/out-of-it; echo mine >&3`), "")
			_, err := r.Wait()
			if got := content(t, dir+"/file"); got != c.want {
				t.Errorf("the host has %q", got)
			}
			if name == "changed" && (err == nil || !strings.Contains(err.Error(), "on the host too")) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func relink(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}
