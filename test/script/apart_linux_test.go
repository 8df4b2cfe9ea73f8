package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// changers is every way that comes to mind to change a file or a directory, each
// tried whatever became of the others.
const changers = `
import ctypes, fcntl, mmap, os, struct
os.chdir("/work")
libc = ctypes.CDLL(None, use_errno=True)
def attempt(f):
    try: f()
    except Exception as e: print(f.__name__, e)
def append(): open("a1", "a").write("x")
def truncate(): os.truncate("a2", 0)
def mapped():
    with open("a3", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0); m[0:1] = b"X"; m.flush()
def reading_then_writing():
    before = open("a4"); open("a4", "w").write("new"); before.read()
def renamed_over(): open("n1", "w").write("n"); os.rename("n1", "a5")
def exchanged():
    open("n2", "w").write("n")
    if libc.renameat2(-100, b"n2", -100, b"a6", 2): raise OSError(ctypes.get_errno())
def linked(): os.link("a7", "l7"); open("l7", "a").write("x")
def removed(): os.remove("a8")
def mode(): os.chmod("a9", 0o777)
def times(): os.utime("a10", (1, 1))
def attribute(): os.setxattr("a11", "user.x", b"x")
def flags():
    f = os.open("a12", os.O_RDONLY); b = bytearray(8); fcntl.ioctl(f, 0x80086601, b); fcntl.ioctl(f, 0x40086602, struct.pack("q", 0x40))
def copied():
    s = os.open("a1", os.O_RDONLY); d = os.open("a13", os.O_WRONLY); os.copy_file_range(s, d, 1)
def unnamed():
    f = os.open(".", os.O_TMPFILE | os.O_RDWR); os.write(f, b"x"); os.link("/proc/self/fd/%d" % f, "n3", follow_symlinks=True)
def by_descriptor():
    f = os.open("a14", os.O_RDONLY); open("/proc/self/fd/%d" % f, "w").write("x")
def directory(): os.rename("d1", "d2")
def inside(): open("d3/in", "w").write("x")
def directory_mode(): os.chmod("d3", 0o777)
def locked():
    f = open("a15", "r+"); fcntl.lockf(f, fcntl.LOCK_EX); f.write("x")
for f in [append, truncate, mapped, reading_then_writing, renamed_over, exchanged, linked, removed, mode, times, attribute, flags, copied, unnamed, by_descriptor, directory, inside, directory_mode, locked]:
    attempt(f)
`

// snapshot is what a tree has, to the last change of each inode.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintln(&b, strings.TrimPrefix(path, dir), info.Mode(), st.Ino, st.Size, st.Nlink, st.Mtim, st.Ctim)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestApart: whatever a program does to a volume with cow, the host's tree stays as
// it is, to the times of its inodes; the same does change a volume with rw. The
// sandbox's own kernel, where it has one, sees the same mount of the host's.
func TestApart(t *testing.T) {
	for _, c := range [][2]string{{"cow", "process"}, {"rw", "process"}, {"cow", "gvisor"}} {
		b, mode := newBench(t), c[0]
		tree := filepath.Join(b.dir, "tree")
		for _, d := range []string{"d1", "d3"} {
			if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		names := []string{"d1/in", "d3/in"}
		for i := 1; i <= 15; i++ {
			names = append(names, fmt.Sprint("a", i))
		}
		for _, n := range names {
			if err := os.WriteFile(filepath.Join(tree, n), []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		before := snapshot(t, tree)
		b.run("run", "--tier", c[1], "-v", tree+":/work:"+mode, "--", "python3", "-c", changers).want(t, 0)
		after := snapshot(t, tree)
		if mode == "cow" && after != before {
			t.Errorf("the host's tree has changed (%s):\n%s\nbefore\n%s", c[1], after, before)
		}
		// The kernel leaves a folder there that nobody may read: dropping removes it.
		kept, err := filepath.Glob(filepath.Join(filepath.Dir(b.dir), "state", "changes", "*"))
		if err != nil || len(kept) != map[string]int{"cow": 1}[mode] {
			t.Errorf("kept apart %q, %v", kept, err)
		}
		for _, dir := range kept {
			b.run("session", "drop", filepath.Base(dir)).want(t, 0)
			if _, err := os.Lstat(dir); err == nil {
				t.Errorf("%s is still there", dir)
			}
		}
		if mode == "rw" && strings.Count(after, "\n") == strings.Count(before, "\n") {
			t.Errorf("nothing changes a volume that can be written, so this shows nothing:\n%s", after)
		}
	}
}

// TestApartKilled: whose launcher is killed has changed nothing, and what was
// changed can be looked at.
func TestApartKilled(t *testing.T) {
	b := newBench(t)
	tree := filepath.Join(b.dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := b.command("run", "--ask", "none", "-v", b.dir+":/out:rw", "-v", tree+":/work:cow", "--", "sh", "-c", `echo y > /work/apart; echo > /out/ready; exec sleep 1000`)
	id, ended := b.listed(cmd)
	b.run("session", "apply", id).want(t, 125, "still runs")
	b.run("stop", "--now", id).want(t, 0)
	<-ended //nolint:errcheck // as it was ended
	b.run("session", "diff", id).want(t, 0, "added    apart")
	if _, err := os.Stat(filepath.Join(tree, "apart")); err == nil {
		t.Error("it reached the host")
	}
	b.run("session", "apply", id).want(t, 0, "1 changes are applied")
	if text, err := os.ReadFile(filepath.Join(tree, "apart")); err != nil || string(text) != "y\n" {
		t.Errorf("it is %q, %v", text, err)
	}
}

// TestApartAmongMany: what is mounted by numbers of descriptors that are fixed is there
// also where the other mounts of a view are more than those numbers.
func TestApartAmongMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	args := []string{"run", "--ask", "none"}
	for i := range 300 {
		args = append(args, "--allow", "fs.read:"+b.write(fmt.Sprint("many/", i), "x\n"))
	}
	apart := filepath.Dir(b.write("apart/f", "x\n"))
	args = append(args, "-v", apart+":/work:cow")
	script := "cat " + filepath.Join(b.dir, "many") + "/* | wc -l; echo new > /work/f; cat /work/f"
	if opensDevice("/dev/fuse") {
		args, script = append(args, "-v", apart+":/grows:append"), script+"; echo more >> /grows/f; cat /grows/f"
	}
	got := b.run(append(append(args, "--"), "sh", "-c", script)...)
	if !strings.HasPrefix(got.out, "300\nnew\n") || got.status != 0 {
		t.Errorf("%d, %q, %q", got.status, got.out, got.err)
	}
	if text, err := os.ReadFile(filepath.Join(apart, "f")); err != nil || strings.TrimSuffix(string(text), "more\n") != "x\n" {
		t.Errorf("the host has %q, %v", text, err)
	}
}

func opensDevice(name string) bool {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		err = f.Close()
	}
	return err == nil
}
