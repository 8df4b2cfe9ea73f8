package microvm_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// What was answered alone is renamed, replaced and removed like all else in its folder once
// that was answered too; what was written to it before is there, and who has it open writes
// on.
func TestAskingJoined(t *testing.T) {
	const opened = "exec 3>>H/file; echo one >&3; "
	for name, c := range map[string]struct {
		before string // answers something alone
		script string // in the folder, which was answered
		out    string
		has    map[string]string // on the host; "-" is nothing
	}{
		"a file":          {opened, `echo two >&3; cat H/file; echo three >> H/file`, "hidden\none\ntwo\n", map[string]string{"file": "hidden\none\ntwo\nthree\n"}},
		"renamed":         {opened, `mv H/file H/sub/moved; echo two >&3`, "", map[string]string{"file": "-", "sub/moved": "hidden\none\ntwo\n"}},
		"removed":         {opened, `rm H/file; echo two >&3; test -e H/file || echo gone`, "gone\n", map[string]string{"file": "-"}},
		"replaced":        {opened, `echo other > H/tmp; mv H/tmp H/file; echo two >&3; cat H/file`, "other\n", map[string]string{"file": "other\n", "tmp": "-"}},
		"with a link":     {opened, `ln H/file H/again; echo two >&3`, "", map[string]string{"file": "hidden\none\ntwo\n", "again": "hidden\none\ntwo\n"}},
		"left alone":      {`exec 3>>H/file; `, `mv H/file H/moved`, "", map[string]string{"file": "-", "moved": "hidden\n"}},
		"only read":       {`exec 3<H/file; `, `mv H/file H/moved; cat <&3`, "hidden\n", map[string]string{"file": "-", "moved": "hidden\n"}},
		"several":         {opened + `echo new >> H/sub/deep; `, `mv H/sub H/other; mv H/file H/other; echo two >&3`, "", map[string]string{"file": "-", "other/file": "hidden\none\ntwo\n", "other/deep": "deep\nnew\n"}},
		"a folder":        {`echo one > H/sub/new; `, `mv H/sub H/moved; mv H/moved/new H/out-of-it`, "", map[string]string{"sub": "-", "moved/deep": "deep\n", "out-of-it": "one\n"}},
		"from within one": {`cd H/sub; echo one > new; `, `mv H/sub H/moved; echo two >> new; rm deep`, "", map[string]string{"sub": "-", "moved/new": "one\ntwo\n", "moved/deep": "-"}},
		"and a part":      {`echo one >> H/sub/deep; echo two > H/sub/new; `, `mv H/sub H/moved; rm H/moved/deep`, "", map[string]string{"moved/deep": "-", "moved/new": "two\n"}},
	} {
		for way, folder := range map[string]string{"at once": "", "read before": "cat H/mark >/dev/null; "} {
			t.Run(name+"/"+way, func(t *testing.T) {
				dir := enforcetest.Concealed(t)
				write(t, dir, "mark", "")
				p := &enforcetest.Person{Answer: markRead(t, enforcetest.AsWanted)}
				if got := asks(t, p, strings.ReplaceAll("exec 2>&1; "+c.before+folder+": > H/new-one; "+c.script, "H", dir)); got != c.out {
					t.Errorf("it got %q, want %q; put %q, not shown %v", got, c.out, p.Put(), p.Failed())
				}
				has(t, dir, c.has)
			})
		}
	}
}

// markRead answers a touch that reads a file "mark" with its folder to be read.
func markRead(t *testing.T, answer func(context.Context, enforce.Touch) enforce.Answer) func(context.Context, enforce.Touch) enforce.Answer {
	return func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchRead && filepath.Base(touch.Path) == "mark" {
			dir := object(t, filepath.Dir(touch.Path))
			return enforce.Answer{Allow: true, Show: []enforce.Entry{{Op: enforce.OpBind, Path: dir.Path, Source: dir.Path, Dir: true, Dev: dir.Dev, Ino: dir.Ino}}}
		}
		return answer(ctx, touch)
	}
}

// What nobody wrote to is left as it is on the host.
func TestAskingJoinedUntouched(t *testing.T) {
	dir := enforcetest.Concealed(t)
	was, err := os.Stat(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	asks(t, &enforcetest.Person{Answer: enforcetest.AsWanted}, strings.ReplaceAll(`exec 3>>H/file; : > H/new`, "H", dir))
	is, err := os.Stat(dir + "/file")
	if err != nil || !os.SameFile(was, is) || !is.ModTime().Equal(was.ModTime()) {
		t.Errorf("the host has another file, %v", err)
	}
	has(t, dir, map[string]string{"file": "hidden\n", "new": ""})
}

// A file that may be changed stays so in a folder that is only read, and is neither renamed
// nor removed there.
func TestAskingNotJoined(t *testing.T) {
	dir := enforcetest.Concealed(t)
	write(t, dir, "mark", "")
	p := &enforcetest.Person{Answer: markRead(t, func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Dir && touch.Kind == enforce.TouchWrite {
			return enforce.Answer{}
		}
		return enforcetest.AsWanted(ctx, touch)
	})}
	got := asks(t, p, strings.ReplaceAll(`exec 3>>H/file 2>&-; echo one >&3; cat H/mark; ls H; echo two >&3; echo three >> H/file; mv H/file H/moved || rm -f H/file || cat H/file`, "H", dir))
	if got != "file\nlink\nmark\nout\nsub\nhidden\none\ntwo\nthree\n" {
		t.Errorf("it got %q", got)
	}
	has(t, dir, map[string]string{"file": "hidden\none\ntwo\nthree\n", "moved": "-"})
}

// What somebody changes on the host while the program has it, alone and then with its
// folder, is left as it is there.
func TestAskingJoinedBeside(t *testing.T) {
	dir := enforcetest.Concealed(t)
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == dir {
			write(t, dir, "file", "the host's\n")
		}
		return enforcetest.AsWanted(ctx, touch)
	}}
	tr := tier(t)
	tr.Asker = p
	r := start(t, tr, asking(t, strings.ReplaceAll(`exec 3>>H/file; : > H/new; echo mine >&3`, "H", dir)), "")
	if _, err := r.Wait(); err == nil || !strings.Contains(err.Error(), "on the host too") {
		t.Errorf("it says %v", err)
	}
	has(t, dir, map[string]string{"file": "the host's\n", "new": ""})
}

// A folder that is taken back takes what became a part of it along, by whatever name, and
// what has that open is told. A part that is taken back alone stays, by its folder.
func TestAskingJoinedTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		take   string
		out    string
		open   string
		has    map[string]string
	}{
		"the folder":        {`exec 3>>H/file; echo one >&3; : > H/new; echo two >&3; cat M >/dev/null; exec 2>&-; echo late >&3; cat H/file || ls H || echo gone`, "", "gone\n", "descriptor 3 H/file", map[string]string{"file": "hidden\none\ntwo\n"}},
		"the folder, later": {`exec 3>>H/file; cat H/mark; exec 4>>H/file; : > H/new; mv H/file H/moved; echo two >&4; cat M >/dev/null; exec 2>&-; cat H/moved || ls H || echo gone`, "", "gone\n", "descriptor 3 H/file, descriptor 4 H/file", map[string]string{"file": "-", "moved": "hidden\ntwo\n"}},
		"from within":       {`cd H; : > new; echo one >> file; cat M >/dev/null; exec 2>&-; echo late > late; rm file; test -e H/file && echo there`, "", "", "working directory H", map[string]string{"file": "hidden\none\n", "late": "-"}},
		"the part":          {`exec 3>>H/file; : > H/new; cat M >/dev/null; echo late >&3; mv H/file H/moved; cat H/moved`, "/file", "hidden\nlate\n", "", map[string]string{"moved": "hidden\nlate\n"}},
		"what was moved":    {`H/sub/run; : > H/new; mv H/sub H/other; H/other/run; cat M >/dev/null; exec 2>&-; H/other/run || echo gone`, "/sub/run", "ran\nran\ngone\n", "", map[string]string{"other/run": "-", "other/deep": "deep\n", "sub/run": "#!/bin/sh\necho ran\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := enforcetest.Concealed(t)
			enforcetest.Program(t, dir+"/sub/run", "#!/bin/sh\necho ran\n")
			write(t, dir, "mark", "")
			got, open := hidden(t, dir, "", c.script, markRead(t, enforcetest.AsWanted), dir+c.take)
			if got != c.out {
				t.Errorf("it got %q, want %q", got, c.out)
			}
			var held []string
			for _, o := range open[0] {
				if strings.HasPrefix(o.Program, "sh (") {
					held = append(held, o.What+" "+strings.ReplaceAll(o.Path, dir, "H"))
				}
			}
			if all := strings.Join(held, ", "); all != c.open {
				t.Errorf("open is %q, want %q", all, c.open)
			}
			has(t, dir, c.has)
		})
	}
}
