package microvm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// A program goes into a folder that leads to what was answered, and that is answered as a
// whole then: what it changes by names that begin there is changed in what covers it.
func TestAskingCovered(t *testing.T) {
	cases := map[string]struct {
		script string
		out    string
		has    map[string]string // on the host; "-" is nothing
	}{
		"create":       {`echo new > new; cat new H/new; echo more >> new; cat new`, "new\nnew\nnew\nmore\n", map[string]string{"new": "new\nmore\n"}},
		"create once":  {`set -C; echo new > new; echo again > new || echo no; cat new`, "no\nnew\n", map[string]string{"new": "new\n"}},
		"append":       {`echo new >> file; cat file`, "hidden\nnew\n", map[string]string{"file": "hidden\nnew\n"}},
		"truncate":     {`truncate -s 3 file; cat file`, "hid", map[string]string{"file": "hid"}},
		"mode":         {`chmod 600 file; stat -c %a file; touch -d @7 file; stat -c %Y H/file`, "600\n7\n", nil},
		"mkdir":        {`umask 027; mkdir new; echo one > new/one; cat new/one; stat -c %a new H/new; cd new; echo two > two; cat one two`, "one\n750\n750\none\ntwo\n", map[string]string{"new/one": "one\n", "new/two": "two\n"}},
		"unlink":       {`cat file; rm file; cat file || echo gone; test -e file || echo gone`, "hidden\ngone\ngone\n", map[string]string{"file": "-"}},
		"rmdir":        {`mkdir new; rmdir new; test -e new || echo gone`, "gone\n", map[string]string{"new": "-"}},
		"rename":       {`cat file; mv file sub/moved; cat file || cat sub/moved`, "hidden\nhidden\n", map[string]string{"file": "-", "sub/moved": "hidden\n"}},
		"of a folder":  {`cat sub/deep; mv sub other; cat sub/deep || cat other/deep`, "deep\ndeep\n", map[string]string{"sub": "-", "other/deep": "deep\n"}},
		"replace":      {`cat file; echo new > tmp; mv tmp file; cat file H/file`, "hidden\nnew\nnew\n", map[string]string{"file": "new\n", "tmp": "-"}},
		"link":         {`ln file new; cat new`, "hidden\n", map[string]string{"new": "hidden\n"}},
		"symlink":      {`ln -s file new; cat new; readlink new`, "hidden\nfile\n", map[string]string{"new": "hidden\n"}},
		"by link":      {`echo new > link; cat file`, "new\n", map[string]string{"file": "new\n"}},
		"from further": {`cd sub; echo new > new; mkdir ../dir; mv ../file moved; cat new moved; rm deep; ls ../dir`, "new\nhidden\n", map[string]string{"file": "-", "sub/new": "new\n", "sub/moved": "hidden\n", "sub/deep": "-"}},
		"descriptor":   {`python3 -c 'import os; os.mkdir("dir", dir_fd=5); os.rename("file", "dir/file", src_dir_fd=5, dst_dir_fd=5)'; cat dir/file`, "hidden\n", map[string]string{"file": "-", "dir/file": "hidden\n"}},
		"by the root":  {`mv H/file there; cat there; mv there H/file; cat H/file`, "hidden\nhidden\n", map[string]string{"file": "hidden\n", "there": "-"}},
		"builtin":      {`: > new; [ -w new ] && echo w; ls H`, "w\nfile\nlink\nnew\nout\nsub\n", nil},
	}
	for way, folder := range map[string]string{"to change": "true > H/first; rm H/first; ", "read before": "ls H >/dev/null; ", "by itself": ""} {
		t.Run(way, func(t *testing.T) {
			var script string
			dirs := map[string]string{}
			for name, c := range cases {
				dir := enforcetest.Concealed(t)
				dirs[name] = dir
				script += strings.ReplaceAll(`echo "= `+name+`"; (cat H/sub/deep >/dev/null; cd H; exec 5<.; `+folder+c.script+"); ", "H", dir)
			}
			p := &enforcetest.Person{Answer: alone(t, "deep", enforcetest.Whole(t))}
			got := map[string]string{}
			for part := range strings.SplitSeq(asks(t, p, "exec 2>/dev/null; "+script+"true"), "= ") {
				name, out, _ := strings.Cut(part, "\n")
				got[name] = out
			}
			for name, c := range cases {
				if got[name] != c.out {
					t.Errorf("%s: it got %q, want %q", name, got[name], c.out)
				}
				has(t, dirs[name], c.has)
			}
			if len(p.Failed()) > 0 || t.Failed() {
				t.Errorf("put %q, not shown %v", p.Put(), p.Failed())
			}
		})
	}
}

// alone answers a touch that reads a file of a name with that file.
func alone(t *testing.T, name string, answer func(context.Context, enforce.Touch) enforce.Answer) func(context.Context, enforce.Touch) enforce.Answer {
	t.Helper()
	return func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchRead && filepath.Base(touch.Path) == name {
			return enforcetest.Yes(ctx, touch)
		}
		return answer(ctx, touch)
	}
}

// Who begins beneath a cover changes no more than who begins at the root: nothing of what
// was answered to be read, of what is closed in it, or of what its mode keeps.
func TestAskingCoveredRefused(t *testing.T) {
	const all = `echo x > new; echo x >> file; mkdir dir; mv file file2; rm file; chmod 777 file; truncate -s 0 file; ln file two; ln -s file three; mkfifo pipe; rm -r sub; mv sub other; rm ../H/file; echo x > sub/new; `
	t.Run("to be read", func(t *testing.T) {
		dir := enforcetest.Concealed(t)
		p := &enforcetest.Person{Answer: alone(t, "deep", func(ctx context.Context, touch enforce.Touch) enforce.Answer {
			if touch.Kind == enforce.TouchWrite {
				return enforce.Answer{}
			}
			return enforcetest.Whole(t)(ctx, touch)
		})}
		script := strings.ReplaceAll(`exec 2>&-; cat H/sub/deep; cd H; ls H >/dev/null; `, "H", dir) + strings.ReplaceAll(all, "H", filepath.Base(dir)) + `cat file`
		if got := asks(t, p, script); got != "deep\nhidden\n" {
			t.Errorf("it got %q", got)
		}
		enforcetest.Unchanged(t, dir, 4)
	})
	t.Run("by its mode", func(t *testing.T) {
		dir := enforcetest.Concealed(t)
		modes := func(folder, file os.FileMode) {
			if err := errors.Join(os.Chmod(dir+"/sub", folder), os.Chmod(dir+"/file", file), os.Chmod(dir, folder)); err != nil {
				t.Fatal(err)
			}
		}
		modes(0o555, 0o444)
		defer modes(0o755, 0o644)
		p := &enforcetest.Person{Answer: alone(t, "deep", enforcetest.Whole(t))}
		script := strings.ReplaceAll(`exec 2>&-; cat H/sub/deep; cd H; true >> H/file || touch H/x; `, "H", dir) + strings.NewReplacer("H", filepath.Base(dir), "chmod 777 file; ", "").Replace(all) + `cat file`
		if got := asks(t, p, script); got != "deep\nhidden\n" {
			t.Errorf("it got %q", got)
		}
		modes(0o755, 0o644)
		enforcetest.Unchanged(t, dir, 4)
	})
	t.Run("closed in it", func(t *testing.T) {
		dir := enforcetest.Concealed(t)
		write(t, dir, "secret", "secret\n")
		p := &enforcetest.Person{Answer: alone(t, "deep", func(ctx context.Context, touch enforce.Touch) enforce.Answer {
			a := enforcetest.Whole(t)(ctx, touch)
			a.Show = append(a.Show, enforce.Entry{Op: enforce.OpMask, Path: dir + "/secret"})
			return a
		})}
		if got := asks(t, p, strings.ReplaceAll(`exec 2>&-; cat H/sub/deep; cd H; : > H/first; cat secret; ln secret two; cat two; mv secret three; cat three; echo x > secret; cat secret H/secret; rm secret; true`, "H", dir)); strings.Contains(got, "secret") {
			t.Errorf("it got %q", got)
		}
		has(t, dir, map[string]string{"secret": "secret\n"})
	})
}

// What is taken back is out of reach by names that begin beneath it, too.
func TestAskingCoveredTakenBack(t *testing.T) {
	dir := enforcetest.Concealed(t)
	got, _ := hidden(t, dir, "", `cat H/sub/deep; cd H; : > new; echo one > two; cat file two; cat M >/dev/null; exec 2>&-; echo late > late; echo late >> file; mkdir dir; rm two; mv two three; cat file two`, alone(t, "deep", enforcetest.Whole(t)), dir)
	if got != "deep\nhidden\none\n" {
		t.Errorf("it got %q", got)
	}
	has(t, dir, map[string]string{"file": "hidden\n", "two": "one\n", "late": "-", "dir": "-", "three": "-"})
}
