package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inTiers makes a test in the process tier and where another kernel runs the programs: how
// a run begins there.
func inTiers(t *testing.T, test func(t *testing.T, run ...string)) {
	t.Parallel()
	for _, tier := range []string{"process", "gvisor"} {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			test(t, "run", "--tier", tier, "--ask", "none")
		})
	}
}

// begun is a command that begins with run.
func (b *bench) begun(run []string, args ...string) *exec.Cmd {
	return b.command(append(slices.Clone(run), args...)...)
}

// closed is what is said where nothing may be written: a user without rights to the file
// hears of those first from gVisor.
var closed = regexp.MustCompile(`read-only file system|permission denied`)

func (r ran) closed(t *testing.T) {
	t.Helper()
	if r.want(t, 125); !closed.MatchString(r.err) {
		t.Errorf("got %q", r.err)
	}
}

// Files of a session are listed, read, written and removed one at a time, and all that
// reads or changes is recorded.
func TestFiles(t *testing.T) { inTiers(t, testFiles) }

func testFiles(t *testing.T, run ...string) {
	b := newBench(t)
	in := filepath.Dir(b.write("../given/f", "given\n"))
	id, _ := b.listed(b.begun(run, "--limit", "disk=1M", "-v", in+":/in:ro", "-v", b.dir+":/out:rw", "--", "sh", "-c", "echo old > /tmp/f; chmod 600 /tmp/f; ln -s f /tmp/l; "+waits))
	write := func(name, text string) ran {
		cmd := b.command("files", "write", id+":"+name)
		cmd.Stdin = strings.NewReader(text)
		return b.finish(cmd)
	}
	b.run("files", "mkdir", id+":/tmp/d").want(t, 0)
	b.run("files", "mkdir", id+":/tmp/d").want(t, 125, "file exists")
	b.run("files", "mkdir", id+":/tmp/\xfe").want(t, 0)
	b.run("files", "rm", "--folder", id+":/tmp/\xfe").want(t, 0)
	write("/tmp/d/\n\xff\x1b[2J", "hostile").want(t, 0)
	write("/tmp/f", "new").want(t, 0)
	write("/tmp/l", "no link any more").want(t, 0)
	b.run("exec", id, "--", "sh", "-c", `cat /tmp/f /tmp/l /tmp/d/*; stat -c %a /tmp/f`).want(t, 0, "newno link any morehostile600\n")
	b.run("files", "ls", "--json", id+":/tmp/d").want(t, 0, `"name": "\n�\u001b[2J"`, `"raw": "Cv8bWzJK"`, `"size": 7`)
	if got := b.run("files", "ls", id+":/tmp/d"); strings.Contains(got.out, "\x1b") || got.status != 0 {
		t.Errorf("it writes to the terminal: %q", got.out)
	}
	b.run("files", "read", "--offset", "1", "--length", "1", id+":/tmp/f").want(t, 0, "e")
	b.run("files", "read", id+":/proc/loadavg").want(t, 0, ".")
	b.run("files", "read", id+":/tmp/d").want(t, 125, "is a folder")
	b.run("files", "rm", id+":/tmp/d").want(t, 125, "is a directory")
	b.run("files", "rm", "--folder", id+":/tmp/d").want(t, 125, "not empty")
	b.run("files", "rm", id+":/tmp/l").want(t, 0)
	b.run("files", "stat", id+":/tmp/l").want(t, 125, "no such file")
	// What does not fit leaves what was there, and nothing beside it.
	write("/tmp/f", strings.Repeat("x", 2<<20)).want(t, 125, "in the session")
	b.run("files", "read", id+":/tmp/f").want(t, 0, "new")
	b.run("exec", id, "--", "ls", "-A", "/tmp").want(t, 0, "d\nf\n")
	// What the program may not is not done for anybody.
	write("/in/f", "x").closed(t)
	b.run("files", "rm", id+":/in/f").closed(t)
	b.run("files", "read", id+":/etc/shadow").want(t, 125, "no such file")
	b.run("files", "rm", id+":/").want(t, 125, "names nothing")
	b.run("files", "rm", id+":/tmp/..").want(t, 125, "names nothing")
	b.run("files", "ls", id+":tmp").want(t, 125, "not absolute")
	log := b.run("audit", "ls", "--kind", "session.copy")
	log.want(t, 0, "folder made: /tmp/d", "copied in: /tmp/f", "copied out: /tmp/f", "removed: /tmp/l", "removed: /in/f")
}

// Links lead where they lead the program, and what is no file is not opened: who waits at
// a pipe goes on waiting.
func TestFilesHostile(t *testing.T) { inTiers(t, testFilesHostile) }

func testFilesHostile(t *testing.T, run ...string) {
	b := newBench(t)
	secret := b.write("../secret", "secret\n")
	id, _ := b.listed(b.begun(run, "-v", b.dir+":/out:rw", "--", "sh", "-c",
		`cd /out; ln -s `+secret+` link; ln -s `+filepath.Dir(secret)+` dir; mkfifo pipe; (echo > pipe; echo > opened) & `+waits))
	if got, err := os.ReadFile(filepath.Join(b.dir, "link")); err != nil || string(got) != "secret\n" {
		t.Fatalf("the attempt is none: %q, %v", got, err)
	}
	b.run("files", "read", id+":/out/link").want(t, 125, "no such file")
	b.run("files", "read", id+":/out/dir/secret").want(t, 125, "no such file")
	if got := b.run("files", "ls", id+":/out/dir"); strings.Contains(got.out, "secret") {
		t.Errorf("names came out: %s", got.out)
	}
	b.run("files", "rm", id+":/out/dir/secret").want(t, 125)
	b.run("files", "ls", id+":/out").want(t, 0, "link", "pipe", "-> "+secret)
	for _, name := range []string{"/out/pipe", "/dev/null", "/dev/ptmx"} {
		b.run("files", "read", id+":"+name).want(t, 125, "is no file")
	}
	cmd := b.command("files", "write", id+":/out/link")
	cmd.Stdin = strings.NewReader("mine")
	b.finish(cmd).want(t, 0)
	if now, err := os.ReadFile(secret); err != nil || string(now) != "secret\n" {
		t.Errorf("outside there is %q, %v", now, err)
	}
	if b.there("opened") {
		t.Error("the pipe was opened")
	}
}

// What is denied beneath a grant is neither removed nor replaced by who looks after files
// from outside, where the mounts that deny it hold nobody up.
func TestFilesDenied(t *testing.T) { inTiers(t, testFilesDenied) }

func testFilesDenied(t *testing.T, run ...string) {
	b := newBench(t)
	secret, locked, open := b.write("secret", "secret\n"), b.write("locked", "locked\n"), b.write("open", "open\n")
	id, _ := b.listed(b.begun(run, "-v", b.dir+":"+b.dir+":rw", "--deny", "fs.read:"+secret, "--deny", "fs.write:"+locked, "--", "sh", "-c", "echo > "+b.dir+"/ready; exec sleep 1000"))
	mine := filepath.Dir(b.write("../mine/locked", "mine\n"))
	b.run("exec", id, "--", "rm", "-f", secret).want(t, 1, "busy")
	for _, name := range []string{secret, locked} {
		b.run("files", "rm", id+":"+name).want(t, 125, "busy")
		cmd := b.command("files", "write", id+":"+name)
		cmd.Stdin = strings.NewReader("mine\n")
		b.finish(cmd).want(t, 125, "busy")
	}
	b.run("cp", mine+"/locked", id+":"+locked).want(t, 125)
	b.run("cp", mine, id+":"+b.dir).want(t, 125, "busy")
	b.run("files", "rm", id+":"+open).want(t, 0)
	for name, want := range map[string]string{secret: "secret\n", locked: "locked\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v", name, got, err)
		}
	}
	if b.there("open") {
		t.Error("the control: a file that may be removed is there")
	}
}

// Root outside has rights to all files, and a program of root's in a session has none
// but those of whose file it is: neither has who reads, writes or copies there.
func TestFilesRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root")
	}
	b := newBench(t)
	theirs := b.write("theirs/f", "secret\n")
	for name, mode := range map[string]os.FileMode{theirs: 0o600, filepath.Dir(theirs): 0o755} {
		if err := os.Chown(name, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	id, _ := b.listed(b.command("run", "--ask", "none", "-v", b.dir+":/out:rw", "--", "sh", "-c", waits))
	b.run("exec", id, "--", "cat", "/out/theirs/f").want(t, 1, "Permission denied")
	b.run("files", "read", id+":/out/theirs/f").want(t, 125, "permission denied")
	for _, args := range [][]string{{"rm", id + ":/out/theirs/f"}, {"mkdir", id + ":/out/theirs/d"}, {"write", id + ":/out/theirs/g"}} {
		b.run(append([]string{"files"}, args...)...).want(t, 125, "permission denied")
	}
	b.run("cp", id+":/out/theirs", filepath.Join(b.home, "copy")).want(t, 125, "permission denied", "0 files are copied")
	b.run("cp", b.dir+"/ready", id+":/out/theirs/").want(t, 125, "permission denied")
	b.write("mine/f", "x")
	b.run("cp", b.dir+"/mine", id+":/out/theirs").want(t, 125, "permission denied")
	if got, err := os.ReadFile(theirs); err != nil || string(got) != "secret\n" {
		t.Errorf("there is %q, %v", got, err)
	}
}

// A folder is removed with what is in it, and nothing that links in it lead to. What is
// denied there holds all of it up and is named.
func TestFilesRemoveAll(t *testing.T) { inTiers(t, testFilesRemoveAll) }

func testFilesRemoveAll(t *testing.T, run ...string) {
	b := newBench(t)
	secret, locked := b.write("d/deep/secret", "secret\n"), b.write("e/locked", "locked\n")
	for _, name := range []string{"d/a", "d/deep/b", "e/a", "g/deep/a", "kept"} {
		b.write(name, "x\n")
	}
	id, _ := b.listed(b.begun(run, "-v", b.dir+":"+b.dir+":rw", "--deny", "fs.read:"+secret, "--deny", "fs.write:"+locked,
		"--", "sh", "-c", "cd "+b.dir+"/g; ln -s ../kept link; ln -s .. up; mkfifo pipe; mkdir -p 'deep/a b'; echo > "+b.dir+"/ready; exec sleep 1000"))
	for folder, name := range map[string]string{"d": secret, "e": locked} {
		before := b.tree(folder)
		b.run("files", "rm", "-r", id+":"+b.dir+"/"+folder).want(t, 125, name, "it is denied, or granted by itself", "0 names were removed")
		if now := b.tree(folder); !slices.Equal(before, now) {
			t.Errorf("of %s there is %q, and was %q", folder, now, before)
		}
	}
	b.run("files", "rm", "-r", id+":"+b.dir+"/kept").want(t, 125, "not a directory")
	b.run("files", "rm", "-r", id+":"+b.dir+"/g/up").want(t, 125)
	b.run("files", "rm", "-r", id+":/").want(t, 125, "names nothing")
	b.run("files", "rm", "-r", id+":/usr").want(t, 125)
	b.run("files", "rm", "-r", "--json", id+":"+b.dir+"/g").want(t, 0, `"names": 7`)
	if b.there("g") || !b.there("kept") || !b.there("d/a") {
		t.Errorf("there is %q", b.tree("."))
	}
	log := b.run("audit", "ls", "--kind", "session.copy")
	log.want(t, 0, "removed with what is in it: "+b.dir+"/g", "removed with what is in it: "+b.dir+"/d")
}

// tree are the names beneath a folder of the bench.
func (b *bench) tree(folder string) (all []string) {
	b.t.Helper()
	err := filepath.WalkDir(filepath.Join(b.dir, folder), func(p string, _ os.DirEntry, err error) error {
		all = append(all, p)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}
