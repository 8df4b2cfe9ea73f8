package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutDevice has commands run where /dev/fuse does not open: for root by a
// device of no kind in its place.
func withoutDevice(t *testing.T) func(*exec.Cmd) *exec.Cmd {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return func(cmd *exec.Cmd) *exec.Cmd { return cmd }
	}
	dev.Close()
	if os.Getuid() != 0 {
		t.Skip("requires: a /dev/fuse that this user cannot open, or root to put another in its place")
	}
	node := filepath.Join(t.TempDir(), "fuse")
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(240, 77))); err != nil { // of a range for experiments
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) *exec.Cmd {
		script := `mount --bind "$0" /dev/fuse && exec "$@"`
		in := exec.Command("unshare", append([]string{"-m", "sh", "-c", script, node}, cmd.Args...)...)
		in.Args[6], in.Dir, in.Env = cmd.Path, cmd.Dir, cmd.Env
		return in
	}
}

// TestAskWithoutDevice: where /dev/fuse does not open nothing is asked in another
// way by itself. Nothing is launched, the way that there is is named, and
// `ambit doctor` says what is missing; named, the other way works.
func TestAskWithoutDevice(t *testing.T) {
	without := withoutDevice(t)
	b := newHiddenBench(t)
	b.write("a.txt", "one\n")
	mark := b.write("launched", "")
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) ran { return b.finish(without(b.command(args...))) }
	for _, flags := range [][]string{{"--ask", "queue"}, {"--ask", "queue", "--ask-by", "trap"}} {
		args := append(append([]string{"run"}, flags...), "--allow", "fs.write:"+b.dir, "--", "touch", mark)
		run(args...).want(t, 125, "/dev/fuse", "--ask-by notification")
	}
	if _, err := os.Lstat(mark); err == nil {
		t.Error("the program ran")
	}
	run("doctor").want(t, 0, "absent  FUSE", "/dev/fuse")
	run("run", "--ask", "queue", "--ask-by", "notification", "--ask-timeout", "0", "--", "sh", "-c", "cat a.txt || echo refused").
		want(t, 0, "refused", "nobody is asked")
}
