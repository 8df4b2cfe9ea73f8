//go:build linux

package gvisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// A question about reading says which of the sandbox's programs asks: a child, by its own
// number and arguments.
func TestAskingReadWho(t *testing.T) {
	dir := concealed(t)
	var asked enforce.Touch
	p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		asked = touch
		return enforcetest.Yes(ctx, touch)
	}}
	got := asks(t, p, `cat `+dir+`/file & wait; echo $!`)
	pid, ok := strings.CutPrefix(got, "hidden\n")
	if want := fmt.Sprintf("cat (process %s in the sandbox, whose kernel says so)", strings.TrimSpace(pid)); !ok || asked.Program != want || asked.PID != 0 {
		t.Errorf("it got %q; asked by %q, process %d", got, asked.Program, asked.PID)
	}
	if want := []string{"cat", dir + "/file"}; !slices.Equal(asked.Argv, want) || asked.Call != "open" {
		t.Errorf("asked by %q in %q, want %q", asked.Argv, asked.Call, want)
	}
}

// What is hidden is asked about once, by whatever way a call comes to it, and that very
// call goes on with it. A directory that is only passed or looked at asks nobody.
func TestAskingReadWays(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
		put          []string
	}{
		"a look, then open, then again": {`stat -c %s H/file; cat H/file; cat < H/file`, "7\nhidden\nhidden\n", []string{"read H/file"}},
		"within":                        {`cd H; cat file; cat ./sub/../file`, "hidden\nhidden\n", []string{"read H/file"}},
		"within what is deeper":         {`cd H/sub; cat ../file deep`, "hidden\ndeep\n", []string{"read H/file", "read H/sub/deep"}},
		"by a link of its own":          {`ln -s H /tmp/l; cat /tmp/l/file; ln -s l/sub/deep /tmp/m; cat /tmp/m`, "hidden\ndeep\n", []string{"read H/file", "read H/sub/deep"}},
		"by where a process is":         {`cd H; cat /proc/self/cwd/file`, "hidden\n", []string{"read H/file"}},
		"by a descriptor":               {`python3 -c 'import os; f = os.open("H", os.O_PATH); print(os.stat("file", dir_fd=f).st_size, os.read(os.open("sub/deep", 0, dir_fd=f), 9))'`, "7 b'deep\\n'\n", []string{"read H/file", "read H/sub/deep"}},
		"by what stands for one":        {`python3 -c 'import os; f = os.open("H", os.O_PATH); print(len(os.listdir("/proc/self/fd/%d" % f)))'`, "4\n", []string{"read H"}},
		"for what it stands":            {`python3 -c 'import os; f = os.open("H/file", os.O_PATH); print(os.read(os.open("/proc/self/fd/%d" % f, 0), 9))'`, "b'hidden\\n'\n", []string{"read H/file"}},
		"attributes":                    {`python3 -c 'import os; print(os.listxattr("H/file"))'`, "[]\n", []string{"read H/file"}},
		"directories":                   {`test -d H && stat -c %F H/sub && cd H/sub && test -x . && readlink ../link && echo yes`, "directory\nfile\nyes\n", nil},
		"absent":                        {`cat H/absent; stat H/sub/absent; cat H/absent/file; ls H/absent; H/absent`, "", nil},
		"made already":                  {`mkdir H/sub; mkfifo H/file; python3 -c 'import os; os.symlink("x", "H/file")'; python3 -c 'import os; os.open("H/file", os.O_CREAT | os.O_EXCL)'`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			here := strings.NewReplacer("H/", dir+"/", "H;", dir+";", `"H"`, `"`+dir+`"`, "H ", dir+" ")
			p := &enforcetest.Person{Answer: enforcetest.Yes}
			if got := asks(t, p, `exec 2>&-; `+here.Replace(c.script)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			var put []string
			for _, q := range c.put {
				put = append(put, strings.Replace(q, "H", dir, 1))
			}
			if !slices.Equal(p.Put(), put) || len(p.Failed()) > 0 {
				t.Errorf("put %q, want %q; %v", p.Put(), put, p.Failed())
			}
		})
	}
}

// A no refuses that very call, with the error that the trap has, and is asked about once for
// each call. What is there already is said without a question.
func TestAskingReadRefused(t *testing.T) {
	dir := concealed(t)
	p := &enforcetest.Person{Answer: enforcetest.No}
	got := asks(t, p, strings.ReplaceAll(`exec 2>&1; export LC_ALL=C
		cat H/file; stat H/file; ls H; mkdir H/sub; test -r H/file || echo none; cat H/absent; cat H/link; true`, "H", dir))
	want := strings.ReplaceAll(`cat: H/file: Permission denied
stat: cannot statx 'H/file': Permission denied
ls: cannot open directory 'H': Permission denied
mkdir: cannot create directory 'H/sub': File exists
none
cat: H/absent: No such file or directory
cat: H/link: Permission denied
`, "H", dir)
	if got != want {
		t.Errorf("got %s", got)
	}
	file := "read " + dir + "/file"
	if put := []string{file, file, "read " + dir, file, file}; !slices.Equal(p.Put(), put) {
		t.Errorf("put %q, want %q", p.Put(), put)
	}
}

// Who is killed while a question about reading waits ends at once, and the question is
// taken back; another one goes on meanwhile.
func TestAskingReadKilled(t *testing.T) {
	for name, call := range map[string]string{"open": "exec cat H/file", "look": "exec stat H/file", "list": "exec ls H", "from within": "cd H; exec cat file"} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			over := make(chan struct{})
			p := &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
				if touch.Path == dir+"/sub/deep" {
					return enforcetest.Yes(ctx, touch)
				}
				<-ctx.Done()
				close(over)
				return enforce.Answer{}
			}}
			s, out := inquiry(t, p, strings.ReplaceAll(`exec 2>&-; sh -c 'exec 2>&-; `+call+`' & sleep 1; cat H/sub/deep; kill -9 $!; wait $!; echo gone; sleep 60`, "H", dir))
			if err := s.Release(); err != nil {
				t.Fatal(err)
			}
			_ = out.SetReadDeadline(time.Now().Add(20 * time.Second))
			b := make([]byte, len("deep\ngone\n"))
			if _, err := io.ReadFull(out, b); err != nil || string(b) != "deep\ngone\n" {
				t.Errorf("got %q %v", b, err)
			}
			select {
			case <-over:
			case <-time.After(10 * time.Second):
				t.Error("the question was not taken back")
			}
		})
	}
}

// A signal that is handled, and a pause, while a question about reading waits do not make
// the call fail, and ask nobody anew.
func TestAskingReadWaits(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		pause  bool
	}{
		"signal": {`trap 'echo sig' USR1; (sleep 0.3; kill -USR1 $$; sleep 0.3; kill -USR1 $$) & read x < F && echo $x`, false},
		"paused": {`cat F`, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			s, out, p, answer := held(t, strings.ReplaceAll(c.script, "F", dir+"/file"), enforcetest.Yes)
			time.Sleep(time.Second)
			if c.pause {
				resume, err := s.Pause()
				if err != nil {
					t.Fatal(err)
				}
				resume()
			}
			answer()
			if got := rest(t, out); !strings.HasSuffix(got, "hidden\n") || len(p.Put()) != 1 {
				t.Errorf("it wrote %q, put %q", got, p.Put())
			}
		})
	}
}

// What starts a script is asked about, which no call names: to be run, and refused with a no.
func TestAskingInterpreter(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(context.Context, enforce.Touch) enforce.Answer
		want   string
	}{"yes": {enforcetest.AsWanted, "ran\n"}, "no": {enforcetest.No, "no\n"}} {
		t.Run(name, func(t *testing.T) {
			dir := concealed(t)
			text, err := os.ReadFile("/bin/sh")
			if err := errors.Join(err, os.WriteFile(dir+"/sh", text, 0o755)); err != nil {
				t.Fatal(err)
			}
			enforcetest.Program(t, dir+"/other", "#!"+dir+"/sh\n")
			p := &enforcetest.Person{Answer: c.answer}
			got := asks(t, p, strings.ReplaceAll(`exec 2>&-; printf '#!H/sh\necho ran\n' > /tmp/run; chmod +x /tmp/run; /tmp/run || echo no`, "H", dir))
			if put := []string{"run " + dir + "/sh"}; got != c.want || !slices.Equal(p.Put(), put) {
				t.Errorf("it got %q; put %q, want %q", got, p.Put(), put)
			}
		})
	}
}

// A program that is started from outside, and that nobody was asked about, is asked about too.
func TestAskingReadEntered(t *testing.T) {
	dir := concealed(t)
	enforcetest.Program(t, dir+"/run", "#!/bin/sh\nexit 7\n")
	p := &enforcetest.Person{Answer: enforcetest.Yes}
	s, _ := inquiry(t, p, `sleep 60`)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	e, err := s.(*waitedOnce).Session.(enforce.Enterer).Enter(enforce.Command{Args: []string{dir + "/run"}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Files: [3]*os.File{null(t), null(t), null(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := e.Wait(); err != nil || r.Exit != 7 {
		t.Errorf("%+v %v", r, err)
	}
	if put := []string{"read " + dir + "/run"}; !slices.Equal(p.Put(), put) {
		t.Errorf("put %q, want %q", p.Put(), put)
	}
}
