package microvm_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// A program that is started waits, starts in that very call, and says who asked: where it
// was hidden, and where it was answered for reading before. One that was answered for
// reading alone does not start, and one that cannot be executed on the host neither.
func TestAskingStarted(t *testing.T) {
	enforcetest.AskStarted(t, func(t *testing.T, p *enforcetest.Person, script string) string { return asks(t, p, script) }, "sh", " in the machine, which says so)")
}

// A hidden file that is opened to be changed waits, is changed in that very call, and
// what became of it is on the host.
func TestAskingWritten(t *testing.T) {
	dir := enforcetest.Concealed(t)
	was, err := os.Stat(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: enforcetest.AsWanted}
	if got := asks(t, p, `cd /; echo more >> `+dir+`/file; cat `+dir+`/file; echo new > `+dir+`/sub/deep; cat `+dir+`/sub/deep`); got != "hidden\nmore\nnew\n" {
		t.Errorf("it got %q", got)
	}
	if want := []string{"write " + dir + "/file", "write " + dir + "/sub/deep"}; !slices.Equal(p.Put(), want) || len(p.Failed()) > 0 {
		t.Errorf("put %q, want %q; not shown %v", p.Put(), want, p.Failed())
	}
	is, err := os.Stat(dir + "/file")
	if err != nil || !os.SameFile(was, is) || is.Mode() != was.Mode() || enforcetest.Content(t, dir+"/file") != "hidden\nmore\n" || enforcetest.Content(t, dir+"/sub/deep") != "new\n" {
		t.Errorf("the host has %q and %q, %v", enforcetest.Content(t, dir+"/file"), enforcetest.Content(t, dir+"/sub/deep"), err)
	}
}

// What was changed in the machine is not covered by what is answered later, and the
// folder around it is changed beside it.
func TestAskingWrittenTwice(t *testing.T) {
	dir := enforcetest.Concealed(t)
	p := &enforcetest.Person{Answer: func(_ context.Context, touch enforce.Touch) enforce.Answer {
		e := enforcetest.Wide(touch)
		if strings.HasPrefix(touch.Path, dir+"/sub") { // its folder
			sub := object(t, dir)
			e.Path, e.Source, e.Dir, e.Write, e.Dev, e.Ino = dir, dir, true, true, sub.Dev, sub.Ino
		}
		return enforce.Answer{Allow: true, Show: []enforce.Entry{e}}
	}}
	if got := asks(t, p, `echo more >> `+dir+`/file; echo new > `+dir+`/sub/deep; cat `+dir+`/file; echo last >> `+dir+`/file; mkdir `+dir+`/dir; echo x > `+dir+`/dir/x; rm `+dir+`/link; mv `+dir+`/sub `+dir+`/moved`); got != "hidden\nmore\n" {
		t.Errorf("it got %q", got)
	}
	if enforcetest.Content(t, dir+"/file") != "hidden\nmore\nlast\n" || enforcetest.Content(t, dir+"/moved/deep") != "new\n" || enforcetest.Content(t, dir+"/dir/x") != "x\n" || len(p.Failed()) > 0 {
		t.Errorf("not shown %v", p.Failed())
	}
	for _, gone := range []string{"/link", "/sub"} {
		if _, err := os.Lstat(dir + gone); err == nil {
			t.Errorf("%s is there still", gone)
		}
	}
}

// Each change of a name waits, and is made in that very call.
func TestAskingChanged(t *testing.T) {
	enforcetest.AskChanged(t, func(t *testing.T, p *enforcetest.Person, script string) string { return asks(t, p, script) })
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
			dir := enforcetest.Concealed(t)
			p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
				if touch.Path == dir+"/out-of-it" {
					if err := c.beside(dir); err != nil {
						t.Error(err)
					}
				}
				return enforcetest.AsWanted(ctx, touch)
			}}
			write(t, dir, "out-of-it", "\n")
			tr := tier(t)
			tr.Asker = p
			r := start(t, tr, asking(t, `exec 3>>`+dir+`/file; cat `+dir+`/out-of-it; echo mine >&3`), "")
			_, err := r.Wait()
			if got := enforcetest.Content(t, dir+"/file"); got != c.want {
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
