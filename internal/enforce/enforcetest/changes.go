package enforcetest

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// AskChanged tries each change of a name in a tier that asks: it waits, is made in that very
// call once the folder was answered, and is on the host in the end. The folder is hidden
// before, or was answered to be read, also for a program that is in it. run runs a script
// and answers what it wrote, when it has ended.
func AskChanged(t *testing.T, run func(t *testing.T, p *Person, script string) string) {
	for name, c := range map[string]struct {
		script string
		gone   string
		has    string
		text   string // of has; "": a folder
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
				dir := Concealed(t)
				here := strings.NewReplacer("H", dir)
				if way == "from within" {
					here = strings.NewReplacer("cd H", "cd "+dir, " H/", " ", "H/", "")
				}
				if err := os.Mkdir(dir+"/empty", 0o755); err != nil {
					t.Fatal(err)
				}
				p := &Person{Answer: Whole(t)}
				if got := run(t, p, here.Replace(before+c.script)+" 2>&1"); got != "" {
					t.Errorf("it said %q; put %q, not shown %v", got, p.Put(), p.Failed())
				}
				if _, err := os.Lstat(dir + "/" + c.gone); c.gone != "" && err == nil {
					t.Errorf("%s is there still", c.gone)
				}
				if _, err := os.Stat(dir + "/" + c.has); err != nil {
					t.Error(err)
				} else if c.text != "" && Content(t, dir+"/"+c.has) != c.text {
					t.Errorf("the host has %q", Content(t, dir+"/"+c.has))
				}
			})
		}
	}
}

// AskStarted tries programs that are started in a tier that asks: each waits, starts in that
// very call, and says who asked: a shell that was run by that name, with the words behind it
// in the tier. One that was answered
// to be read alone does not start, and one that nobody can run is not asked about.
func AskStarted(t *testing.T, run func(t *testing.T, p *Person, script string) string, shell, says string) {
	t.Helper()
	dir := Concealed(t)
	Program(t, dir+"/run", "#!/bin/sh\necho ran $1\n")
	Program(t, dir+"/tool", "#!/bin/sh\necho tool\n")
	if err := os.WriteFile(dir+"/plain", []byte("#!/bin/sh\necho ran\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var asked enforce.Touch
	p := &Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		asked = touch
		return AsWanted(ctx, touch)
	}}
	if got := run(t, p, dir+`/run it; `+dir+`/run again; stat -c %a `+dir+`/run; cat `+dir+`/plain >/dev/null; `+dir+`/plain 2>&-; cat `+dir+`/tool >/dev/null; `+dir+`/tool`); got != "ran it\nran again\n755\ntool\n" {
		t.Errorf("it got %q", got)
	}
	if want := []string{"run " + dir + "/run", "read " + dir + "/plain", "read " + dir + "/tool", "run " + dir + "/tool"}; !slices.Equal(p.Put(), want) {
		t.Errorf("put %q, want %q", p.Put(), want)
	}
	if who, ok := strings.CutPrefix(asked.Program, "sh (process "); !ok || !strings.HasSuffix(who, says) || len(asked.Argv) != 3 || !slices.Equal(asked.Argv[:2], []string{shell, "-c"}) || asked.PID != 0 {
		t.Errorf("asked by %q %q, process %d", asked.Program, asked.Argv, asked.PID)
	}
	for name, answer := range map[string]func(context.Context, enforce.Touch) enforce.Answer{"read": Yes, "no": No} {
		p = &Person{Answer: answer}
		if got := run(t, p, `exec 2>&-; `+dir+`/run; `+dir+`/run; true`); got != "" {
			t.Errorf("answered with %s, it ran: %q", name, got)
		}
	}
}
