package microvm_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// hidden runs a script that reads a mark of another folder (M) after it has had something
// of a folder (H): meanwhile paths of that are taken away, and from then on the answer is
// no. It answers what the script wrote, and what it has open of the paths.
func hidden(t *testing.T, dir, from, script string, answer func(context.Context, enforce.Touch) enforce.Answer, paths ...string) (out string, open [][]enforce.Open) {
	t.Helper()
	other := enforcetest.Concealed(t)
	var r *running
	begun, over := make(chan struct{}), false
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if strings.HasPrefix(touch.Path, other) {
			<-begun
			var err error
			if open, err = r.Hide(paths...); err != nil {
				t.Error(err)
				open = make([][]enforce.Open, len(paths))
			}
			over = true
			return enforcetest.Yes(ctx, touch)
		}
		if over {
			if !strings.HasPrefix(touch.Path, dir) {
				t.Errorf("asked about %s %s", touch.Kind, touch.Path)
			}
			return enforce.Answer{}
		}
		return answer(ctx, touch)
	}}
	in := input(t, strings.NewReplacer("H", dir, "M", other+"/file").Replace(script))
	in.Ask, in.Quiet, in.Home = true, []string{"/etc", "/run", "/sys"}, enforce.HomeNone
	if from != "" {
		in.Program.Dir = from
	}
	if _, err := os.Stat(dir + "/start"); err == nil {
		in.Volumes = append(in.Volumes, enforce.Volume{Source: object(t, dir+"/start"), Target: dir + "/start"})
	}
	tr := tier(t)
	tr.Asker = p
	r = start(t, tr, plan(t, in), "")
	close(begun)
	r.wait(t)
	if len(p.Failed()) > 0 {
		t.Errorf("not shown %v", p.Failed())
	}
	return r.out.String(), open
}

// startable is a folder with one in it that is granted before the program begins.
func startable(t *testing.T) string {
	t.Helper()
	dir := enforcetest.Concealed(t)
	if err := os.Mkdir(dir+"/start", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/start", "f", "start\n")
	return dir
}

// An answer that is taken back is hidden again, by whatever way a program goes to it; what
// it has open stays open, and is told.
func TestAskingTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		from   string // where it begins; "" elsewhere
		script string
		take   []string
		want   string
		open   string // what the shell has open of it
	}{
		"a file":                   {"", `cat H/file; cat M >/dev/null; exec 2>&-; cat H/file || echo gone`, []string{"/file"}, "hidden\ngone\n", ""},
		"a folder":                 {"", `ls H >/dev/null; cat H/sub/deep; cat M >/dev/null; exec 2>&-; cat H/sub/deep || ls H || echo gone`, []string{""}, "deep\ngone\n", ""},
		"of a folder that stays":   {"", `ls H >/dev/null; cat H/file; cat M >/dev/null; cat H/file`, []string{"/file"}, "hidden\nhidden\n", ""},
		"from within":              {"", `cd H; ls >/dev/null; exec 3<file; cat M >/dev/null; exec 2>&-; cat <&3; cat H/file || echo gone`, []string{""}, "hidden\ngone\n", "working directory H, descriptor 3 H/file"},
		"changed from within":      {"", `cd H; ls >/dev/null; cat M >/dev/null; exec 2>&-; (echo x > late) || echo no`, []string{""}, "no\n", ""},
		"beneath the cover":        {"/sub", `cat deep; cat M >/dev/null; exec 2>&-; cat deep || echo gone; cat H/sub/deep || echo gone`, []string{""}, "deep\ngone\ngone\n", ""},
		"covered, and stays":       {"", `cat H/file; cat H/sub/deep; cat M >/dev/null; exec 2>&-; cat H/file; ls H/sub || echo gone`, []string{""}, "hidden\ndeep\nhidden\ngone\n", ""},
		"covered, and goes":        {"", `cat H/file; cat H/sub/deep; cat M >/dev/null; exec 2>&-; cat H/file || echo gone; cat H/sub/deep || echo gone`, []string{"/file", ""}, "hidden\ndeep\ngone\ngone\n", ""},
		"in what covers it":        {"/sub", `cat ../file; cat deep; cat M >/dev/null; exec 2>&-; cat ../file || echo gone; cat H/file`, []string{"/file"}, "hidden\ndeep\nhidden\nhidden\n", ""},
		"granted before around it": {"", `cat H/file; cat H/start/f; cat M >/dev/null; exec 2>&-; cat H/file || cat H/start/f`, []string{"/file"}, "hidden\nstart\nstart\n", ""},
		"granted before the start": {"", `cat H/start/f; cat M >/dev/null; exec 2>&-; cat H/start/f || echo gone`, []string{"/start"}, "start\ngone\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, from := enforcetest.Concealed(t), ""
			if strings.Contains(c.script, "H/start") {
				dir = startable(t)
			}
			if c.from != "" {
				from = dir + c.from
			}
			var paths []string
			for _, p := range c.take {
				paths = append(paths, dir+p)
			}
			got, open := hidden(t, dir, from, c.script, func(ctx context.Context, touch enforce.Touch) enforce.Answer {
				if touch.Path == dir+"/sub/deep" { // with all of the folder
					all := object(t, dir)
					return enforce.Answer{Allow: true, Show: []enforce.Entry{{Op: enforce.OpBind, Path: dir, Source: dir, Dir: true, Dev: all.Dev, Ino: all.Ino}}}
				}
				return enforcetest.Yes(ctx, touch)
			}, paths...)
			if got != c.want {
				t.Errorf("it got %q, want %q", got, c.want)
			}
			var held []string
			for _, o := range open[0] {
				name, rest, _ := strings.Cut(o.Program, " (process ")
				if !strings.HasSuffix(rest, " in the machine, which says so)") || o.PID != 0 {
					t.Errorf("told of %q", o.Program)
				}
				if name == "sh" {
					held = append(held, o.What+" "+strings.ReplaceAll(o.Path, dir, "H"))
				}
			}
			if all := strings.Join(held, ", "); c.open != "" && all != c.open {
				t.Errorf("open is %q, want %q", all, c.open)
			}
		})
	}
}

// What was changed before an answer was taken back is on the host, and what is written
// after it by who has it open is not.
func TestAskingTakenBackWritten(t *testing.T) {
	dir := startable(t)
	got, open := hidden(t, dir, "", `exec 3>>H/file; echo soon >&3; mkdir H/dir; cat M >/dev/null; exec 2>&-; echo late >&3 && echo written; echo more >> H/file || cat H/file || rmdir H/dir || echo gone`, enforcetest.Whole(t), dir, dir)
	if got != "written\ngone\n" {
		t.Errorf("it got %q", got)
	}
	if text := enforcetest.Content(t, dir+"/file"); text != "hidden\nsoon\n" {
		t.Errorf("the host has %q", text)
	}
	if _, err := os.Stat(dir + "/dir"); err != nil {
		t.Error(err)
	}
	if len(open[0]) == 0 || len(open) != 2 {
		t.Errorf("open is %v", open)
	}
}
