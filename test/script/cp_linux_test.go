package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Files and folders go out of a session and into it, by what its program sees.
func TestCopy(t *testing.T) { inTiers(t, testCopy) }

func testCopy(t *testing.T, run ...string) {
	b := newBench(t)
	in := filepath.Dir(b.write("../given/f", "given\n"))
	id, _ := b.listed(b.begun(run, "-v", in+":/in:ro", "-v", b.dir+":/out:rw", "--", "sh", "-c", "echo private > /tmp/p; "+waits))
	b.run("cp", id+":/tmp/p", ".").want(t, 0)
	b.run("cp", id+":/tmp/p", "named").want(t, 0)
	b.run("cp", id+":/proc/loadavg", "load").want(t, 0)
	for name, want := range map[string]string{"p": "private\n", "named": "private\n", "load": "."} {
		if got, err := os.ReadFile(filepath.Join(b.dir, name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	b.write("../own/a", "a\n")
	b.write("../own/d/b", "b\n")
	own := filepath.Join(filepath.Dir(b.dir), "own")
	b.run("cp", own, id+":/tmp/").want(t, 0)
	b.run("cp", filepath.Join(own, "a"), id+":/tmp/own/d/c").want(t, 0)
	b.run("cp", filepath.Join(own, "a"), id+":/tmp").want(t, 0)
	b.run("exec", id, "--", "sh", "-c", "cd /tmp && cat own/a own/d/b own/d/c a").want(t, 0, "a\nb\na\na\n")
	b.run("cp", "--json", id+":/tmp/own", "back").want(t, 0, `"files": 3`)
	if got, err := os.ReadFile(filepath.Join(b.dir, "back/d/b")); err != nil || string(got) != "b\n" {
		t.Errorf("%q, %v", got, err)
	}
	// What the program may not, a copy may not.
	b.run("cp", own+"/a", id+":/in/f").closed(t)
	b.run("cp", id+":/etc/shadow", "shadow").want(t, 125, "no such file")
	b.run("cp", id+":tmp/p", "x").want(t, 125, "not absolute")
	b.run("cp", "x", "y").want(t, 125, "one of the two")
	b.run("cp", "s-aaaaaaaaaa:/x", "y").want(t, 125, "there is no session")
	b.run("audit", "ls", "--kind", "session.copy").want(t, 0, "copied out: /tmp/p", "copied in: /tmp/own/d/c")
}

// A program that puts links where a copy goes, or comes from, bends nothing.
func TestCopyLinks(t *testing.T) { inTiers(t, testCopyLinks) }

func testCopyLinks(t *testing.T, run ...string) {
	b := newBench(t)
	secret := b.write("../secret", "secret\n")
	outside := filepath.Dir(b.write("../outside/target", "as it was\n"))
	id, _ := b.listed(b.begun(run, "--allow", "fs.write:"+b.dir, "-v", b.dir+":/out:rw", "--", "sh", "-c",
		`cd /out; ln -s `+secret+` link; ln -s `+outside+` dir; ln -s `+outside+`/target file; mkdir tree; echo x > tree/x; ln -s `+secret+` tree/l; mkfifo tree/p "tree/$(printf 'n\033[2J')"; mkfifo pipe; `+waits))
	if got, err := os.ReadFile(filepath.Join(b.dir, "link")); err != nil || string(got) != "secret\n" {
		t.Fatalf("the attempt is none: %q, %v", got, err)
	}
	// Out: inside there is nothing at the end of the link.
	b.run("cp", id+":/out/link", filepath.Join(b.home, "x")).want(t, 125, "no such file")
	// Out, to where the program may write.
	b.run("cp", id+":/out/tree/x", "dir/made").want(t, 125, "leads through a symbolic link")
	b.run("cp", id+":/out/tree/x", "dir").want(t, 125, "leads through a symbolic link")
	b.run("cp", id+":/out/tree/x", "file").want(t, 125, "leads through a symbolic link")
	// In, from where it may.
	b.run("cp", "link", id+":/tmp/got").want(t, 125, "leads through a symbolic link")
	b.run("cp", "dir/target", id+":/tmp/got").want(t, 125, "leads through a symbolic link")
	b.run("cp", secret, id+":/out/file").want(t, 125, "too many levels of symbolic links")
	// What is no file.
	for _, name := range []string{"/out/pipe", "/dev/null", "/dev/ptmx"} {
		b.run("cp", id+":"+name, "special").want(t, 125, "neither a file nor a folder")
	}
	b.run("cp", secret, id+":/out/pipe").want(t, 125)
	got := b.run("cp", id+":/out/tree", filepath.Join(b.home, "tree"))
	got.want(t, 125, "left out: /out/tree/l (a link)", "/out/tree/p (neither", `n\x1b[2J`, "1 files are copied, and 3 names left out")
	if strings.Contains(got.err, "\x1b") {
		t.Errorf("it writes to the terminal: %q", got.err)
	}
	names, err := os.ReadDir(filepath.Join(b.home, "tree"))
	if err != nil || len(names) != 1 || names[0].Name() != "x" {
		t.Errorf("there is %v, %v", names, err)
	}
	if now, err := os.ReadFile(filepath.Join(outside, "target")); err != nil || string(now) != "as it was\n" {
		t.Errorf("outside there is %q, %v", now, err)
	}
}

// Neither does one that puts them there while it is copied.
func TestCopyRace(t *testing.T) { inTiers(t, testCopyRace) }

func testCopyRace(t *testing.T, run ...string) {
	b := newBench(t)
	secret := filepath.Dir(b.write("../secret/f", "secret\n"))
	id, _ := b.listed(b.begun(run, "-v", b.dir+":/out:rw", "--", "python3", "-c", `import os
os.makedirs("/out/t/d"); open("/out/t/d/f", "w").write("mine\n"); os.symlink("`+secret+`", "/out/t/l")
open("/out/ready", "w")
while True:
    os.rename("/out/t/d", "/out/t/e"); os.rename("/out/t/l", "/out/t/d")
    os.rename("/out/t/d", "/out/t/l"); os.rename("/out/t/e", "/out/t/d")`))
	for i := range 20 {
		to := filepath.Join(b.home, "copy", string(rune('a'+i)))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		b.run("cp", id+":/out/t", to)                    // out: what is there
		b.run("cp", b.dir+"/t/d", id+":/tmp/got")        // in, from where the program may write
		b.run("cp", id+":/proc/loadavg", b.dir+"/t/d/f") // out, to where it may
	}
	err := filepath.WalkDir(b.home+"/copy", func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if strings.Contains(string(text), "secret") {
			t.Errorf("%s came out", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := b.run("exec", id, "--", "sh", "-c", "cat /tmp/got/f /tmp/got/d/f"); strings.Contains(got.out, "secret") {
		t.Errorf("inside there is %q", got.out)
	}
	if now, err := os.ReadFile(filepath.Join(secret, "f")); err != nil || string(now) != "secret\n" {
		t.Errorf("outside there is %q, %v", now, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(secret, "loadavg"), &st); err == nil {
		t.Error("something was made outside")
	}
}
