package script_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAskName: a new name in a home is asked about by itself, and what a program
// does with it is what it would do anywhere.
func TestAskName(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		b.write("proj/zz", "old\n")
		a := b.answering(t, func(q waiting) []string {
			if strings.HasSuffix(q.Question.Capability, "/refused") {
				return []string{"deny"}
			}
			return []string{"approve", "--broad"}
		})
		r := b.run("run", "--ask", "queue", "--ask-by", by, "--", "sh", "-c", `
			echo one > plain && cat plain
			mkdir dir && echo two > dir/x && cat dir/x
			mkdir -p .npm/_cacache && ls -A .npm
			cp plain copy && cat copy
			mv copy moved && cat moved && cat copy
			rm plain; cat plain
			rmdir dir; rm -r dir; ls -A
			(umask 077; echo s > secret)
			mv moved proj/zz && cat proj/zz
			ln -s /etc/passwd link
			echo no > refused
			echo end`)
		a.stop()
		r.want(t, 0, "one\ntwo\n_cacache\none\none\n.npm\nmoved\none\nend\n", "cat: copy: No such file", "cat: plain: No such file",
			"rmdir: failed to remove 'dir': Directory not empty", "failed to create symbolic link 'link': Permission denied", "refused: Permission denied",
			"denied fs.write:"+b.dir+"/refused (refused: ambit deny)")
		want := []string{"fs.write:~/.npm", "fs.write:~/copy", "fs.write:~/dir", "fs.write:~/moved", "fs.write:~/plain", "fs.write:~/proj", "fs.write:~/refused", "fs.write:~/secret"}
		if put := a.put(); !slices.Equal(put, want) {
			t.Errorf("asked %q, want %q", put, want)
		}
		if fi, err := os.Stat(filepath.Join(b.dir, "secret")); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v: want what the umask leaves", fi, err)
		}
		for _, name := range []string{"refused", "link", "moved", "dir"} {
			if _, err := os.Lstat(filepath.Join(b.dir, name)); err == nil {
				t.Errorf("the host has %s", name)
			}
		}
	})
}

// TestAskNameExclusive: a file that its maker wants to be the first of is made by
// that call, once, and its descriptor is one of the view.
func TestAskNameExclusive(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		a := b.answering(t, yes("session"))
		defer a.stop()
		b.run("run", "--ask", "queue", "--ask-by", by, "--", "/usr/bin/python3", "-c", `
import os
how = os.O_CREAT | os.O_EXCL | os.O_RDWR
fd = os.open("lock", how, 0o640)
os.write(fd, b"hello")
os.lseek(fd, 0, 0)
print(os.read(fd, 9), os.readlink("/proc/self/fd/%d" % fd), oct(os.fstat(fd).st_mode), os.get_inheritable(fd), open("/proc/self/fd/%d" % fd).read())
try: os.open("lock", how)
except OSError as e: print(e.strerror)
`).want(t, 0, "b'hello' "+b.dir+"/lock 0o100640 False hello\nFile exists\n")
	})
}

// TestAskNameKeepsWhatIsDenied: what a name was granted for is no way around a
// denial that lies beneath another, nor out of the home.
func TestAskNameKeepsWhatIsDenied(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		b.write("proj/.env", "key\n")
		b.write("proj/a", "a\n")
		b.write("other/x", "x\n")
		b.run("grants", "add", "--deny", "fs.read:"+b.dir+"/proj/.env").want(t, 0)
		a := b.answering(t, func(waiting) []string { return []string{"approve", "--broad"} })
		r := b.run("run", "--ask", "queue", "--ask-by", by, "--", "/usr/bin/python3", "-c", `
import ctypes, os
def attempt(what, f):
    try: print(what, f())
    except OSError as e: print(what, e.strerror)
attempt("open", lambda: os.listdir("proj"))
attempt("rename its folder", lambda: os.rename("proj", "moved"))
attempt("rename another folder", lambda: os.rename("other", "moved"))
attempt("read", lambda: open("proj/.env").read())
attempt("rename", lambda: os.rename("proj/.env", "env"))
attempt("remove its folder", lambda: os.rmdir("proj"))
attempt("exchange", lambda: ctypes.CDLL(None, use_errno=True).renameat2(-100, b"proj", -100, b"other", 2))
attempt("link", lambda: os.link("proj/.env", "env"))
attempt("above", lambda: os.mkdir("../above"))
attempt("above by a folder", lambda: os.mkdir("proj/../../above"))
`)
		a.stop()
		r.want(t, 0)
		if strings.Contains(r.out, "key") || strings.Count(r.out, "None") != 0 {
			t.Errorf("got %s", r.out)
		}
		if text, err := os.ReadFile(filepath.Join(b.dir, "proj/.env")); err != nil || string(text) != "key\n" {
			t.Errorf("the denied file is %q, %v", text, err)
		}
		for _, p := range []string{"moved", "env", "../above"} {
			if _, err := os.Lstat(filepath.Join(b.dir, p)); err == nil {
				t.Errorf("the host has %s", p)
			}
		}
	})
}

// TestAskBelow: who works in a folder of the view's own that is granted later goes
// on by relative paths, also to make things, and to nothing that is denied.
func TestAskBelow(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		b.write("work/a", "a\n")
		b.write("work/sub/x", "x\n")
		b.write("work/.env", "key\n")
		b.run("grants", "add", "--deny", "fs.read:"+b.dir+"/work/.env").want(t, 0)
		a := &asking{Cmd: b.command("run", "--ask", "queue", "--ask-by", by, "--ask-timeout", "0", "--", "sh", "-c", `
			until cat "$1/a" 2>/dev/null; do sleep 0.05; done
			echo one > new && cat new
			mkdir d && echo two > d/y && cat d/y
			cp a b && mv b c && cat c; cat b
			rm c; cat c
			echo deep > sub/deep && chmod 600 sub/deep && cat sub/deep
			mv a sub/a && cat sub/a
			rm -r d
			sed -i s/one/three/ new && cat new
			cat .env; mv .env env2; rm -f .env
			ls -A "$1"`, "sh", b.dir+"/work")}
		a.Dir, a.Stdout, a.Stderr = filepath.Join(b.dir, "work"), &a.out, &a.err
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.end)
		for end := time.Now().Add(patience); !strings.Contains(b.run("audit", "ls").out, "session.start"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it does not begin: %s", a.err.String())
			}
		}
		b.run("grants", "add", "fs.write:"+b.dir+"/work").want(t, 0)
		if err := a.Wait(); err != nil || a.out.String() != "a\none\ntwo\na\ndeep\na\nthree\n.env\nnew\nsub\n" {
			t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
		}
		if text, err := os.ReadFile(filepath.Join(b.dir, "work/.env")); err != nil || string(text) != "key\n" {
			t.Errorf("the denied file is %q, %v", text, err)
		}
	})
}

// TestAskDeclaredName: a pack that declares a name which is not there yet makes
// it, and nothing beside it.
func TestAskDeclaredName(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		b.folder(t, "box")
		b.write("pack/ambit.json", `{"id": "org.example.makes", "name": "makes", "version": "1", "kind": "cli-tool", "entry": ["sh", "./run.sh"],
			"capabilities": ["process.spawn", {"capability": "fs.write:`+b.dir+`/box/out", "reason": "for what it finds"}, {"capability": "fs.write:`+b.dir+`/.makes"}]}`)
		b.write("pack/run.sh", "mkdir "+b.dir+"/box/out && echo found > "+b.dir+"/box/out/x && cat "+b.dir+"/box/out/x; echo s > "+b.dir+"/.makes; echo more > "+b.dir+"/box/more\n")
		b.run("grants", "add", "--pack", "pack", "process.spawn").want(t, 0)
		a := b.answering(t, yes("always"))
		r := b.run("run", "--ask", "queue", "--ask-by", by, "--pack", "pack")
		a.stop()
		r.want(t, 2, "found\n", "does not ask to read and change "+b.dir+"/box;")
		if put := a.put(); !slices.Equal(put, []string{"fs.write:~/.makes", "fs.write:~/box/out"}) {
			t.Errorf("asked %q", put)
		}
		b.run("run", "--ask", "queue", "--ask-by", by, "--ask-timeout", "0", "--pack", "pack").want(t, 2, "File exists")
	})
}
