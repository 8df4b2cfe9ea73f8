package escape_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// appending is the flag that shows the store.
func (f *field) appending() []string {
	return []string{"-v", fmt.Sprintf("%[1]s:%[1]s:append", f.Values["store"])}
}

// newStore is a field with an append-only folder.
func newStore(t *testing.T) *field {
	t.Helper()
	return newStoreIn(t, t.TempDir())
}

func newStoreIn(t *testing.T, dir string) *field {
	t.Helper()
	if !trapOpens() {
		t.Skip("requires: a FUSE device that can be opened")
	}
	f := newFieldIn(t, dir)
	appendOnly(t, f)
	f.flags = append(f.flags, f.appending()...)
	return f
}

// inOwnMounts has a command begin in a mount namespace of its own, after a script.
func inOwnMounts(cmd *exec.Cmd, script string) {
	program, args := cmd.Path, cmd.Args[1:]
	cmd.Path = "/usr/bin/unshare"
	cmd.Args = append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", script, program}, args...)
}

// F45 by an ordinary user, who has a device of their own: every way, one after the
// other, in one sandbox.
func TestF45AppendOnlyAsUser(t *testing.T) {
	a := appendOnlyAttack()
	if attempting != nil {
		a.attempt()
	}
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to make a device for somebody else")
	}
	dir, err := os.MkdirTemp("", "ambit-escape-") //nolint:usetesting // nobody else may go into a folder of the test's
	if err != nil {
		t.Fatal(err)
	}
	f := newStoreIn(t, dir)
	node := filepath.Join(f.Dir, "fuse")
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(node, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chown", "-R", "65534:65534", f.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f.were = nil
	f.guard(t, f.Values["kept"])
	words := f.words(t, a.Tries[0])
	argv := []string{"/bin/sh", "-c", `cp "$0" /tmp/attacker; test=$1 field=$2; shift 2; for try do /tmp/attacker attempt "$test" "$try" "$field"; done`, words[0], words[2], words[4]}
	for _, y := range a.Tries {
		argv = append(argv, y.Name)
	}
	f.flags = append(f.flags, "--allow", "fs.read:"+words[0])
	cmd := f.box(t, argv...)
	inOwnMounts(cmd, `mount --bind `+node+` /dev/fuse && exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$0" "$@"`)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := endedWithin(cmd, f.patient(longest)); err != nil {
		t.Logf("%v", err) // of the last try
	}
	ended := `{"done":false`
	if f.strong() { // what is there counts
		ended = `{"done":`
	}
	if got := strings.Count(out.String(), ended); got != len(a.Tries) {
		t.Errorf("%d ways ended, want %d:\n%s", got, len(a.Tries), out.String())
	}
	if harm := storeHarm(f); harm != "" {
		t.Error(harm)
	}
}

const appendLines = `i=0; while [ $i -lt 200 ]; do echo "$0 $i" >> "$1/log" || exit 1; i=$((i+1)); done`

// What two sessions append to one file at once is all there, line by line.
func TestF45TwoSessions(t *testing.T) {
	t.Parallel()
	f := newStore(t)
	var both sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		cmd := f.box(t, "/bin/sh", "-c", appendLines, name, f.Values["store"])
		both.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		})
	}
	both.Wait()
	text, err := os.ReadFile(filepath.Join(f.Values["store"], "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		for i := range 200 {
			if line := fmt.Sprintf("%s %d\n", name, i); strings.Count("\n"+string(text), "\n"+line) != 1 {
				t.Fatalf("the line %q is not there once", line)
			}
		}
	}
	if harm := storeHarm(f); harm != "" {
		t.Error(harm)
	}
}

// A server that is killed takes the sandbox with it: what was appended is there, in
// whole, nothing else changed, nobody hangs, and no mount and no lock is left.
func TestF45ServerKilled(t *testing.T) {
	t.Parallel()
	for range 3 {
		f := newStore(t)
		log := filepath.Join(f.Values["store"], "log")
		s := f.begin(t, `echo ready; i=0; while :; do echo "line $i" >> "`+f.Values["store"]+`/log"; i=$((i+1)); done`)
		grown := func() bool { st, err := os.Stat(log); return err == nil && st.Size() > 1000 }
		if !f.within(longest, grown) {
			t.Fatal("nothing was appended")
		}
		if err := s.cmd.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Wait() // killed
		f.nothingLeft(t)
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			if line != fmt.Sprintf("line %d", i) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		if out, err := f.box(t, "/bin/sh", "-c", appendLines, "after", f.Values["store"]).CombinedOutput(); err != nil {
			t.Errorf("nothing can be appended afterwards: %v: %s", err, out)
		}
		if harm := storeHarm(f); harm != "" {
			t.Error(harm)
		}
	}
}

// On a full disk, and where a bound is reached, a program is told, and what it had
// appended stays.
func TestF45FullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to make a small disk")
	}
	f := newStore(t)
	f.flags = nil
	disk := filepath.Join(f.Dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	f.flags = []string{"-v", disk + ":/store:append"}
	cmd := f.box(t, "/bin/sh", "-c", `while echo "0123456789abcdef" >> /store/log; do :; done; sort -u /store/log; wc -c < /store/log; df -P /store`)
	inOwnMounts(cmd, `mount -t tmpfs -o size=64k none `+disk+` && exec "$0" "$@"`)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n0123456789abcdef\n65536\n") {
		t.Errorf("%v: %s", err, out)
	}
	f.flags = append(f.flags, "--limit", "disk.store=1000", "--limit", "files.store=2")
	cmd = f.box(t, "/bin/sh", "-c", `cd /store; head -c 2000 /dev/zero > one; wc -c < one; mkdir two && (> three) || echo refused; rm one || wc -c < one`)
	if out, err = cmd.CombinedOutput(); err != nil || strings.Count(string(out), "1000\n") != 2 || !strings.Contains(string(out), "Disk quota exceeded") || !strings.Contains(string(out), "refused\n") {
		t.Errorf("bounds: %v: %s", err, out)
	}
}
