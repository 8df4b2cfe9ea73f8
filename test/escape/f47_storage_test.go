package escape_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newShelf is a field whose person has stored "kept", "other" and "in/other".
func newShelf(t *testing.T) *field {
	t.Helper()
	return newShelfIn(t, t.TempDir())
}

func newShelfIn(t *testing.T, dir string) *field {
	t.Helper()
	if !trapOpens() {
		t.Skip("requires: a FUSE device that can be opened")
	}
	return newFieldIn(t, dir)
}

// store has a run without a pack store values.
func (f *field) store(t *testing.T, keys ...string) {
	t.Helper()
	args := []string{"run", "--allow", "storage.write:*"}
	args = append(args, "--", "/bin/sh", "-c", `cd /ambit/storage; for k; do mkdir -p "$(dirname "$k")"; echo "old $k" > "$k"; done`, "store")
	f.answered(t, append(args, keys...)...)
}

// stored is what is stored; "" where nothing is.
func (f *field) stored(t *testing.T, flags ...string) string {
	t.Helper()
	out, status := f.person(t, append([]string{"storage", "cat"}, flags...)...)
	if status != 0 {
		return ""
	}
	return out
}

// granting gives rights to runs of the field.
func (f *field) granting(rights ...string) {
	for _, r := range rights {
		f.flags = append(f.flags, "--allow", r)
	}
}

// storageWays are what a program does to change what it may only read, or to reach
// what it may not. Each changes, or reaches, an ordinary folder D.
var storageWays = []struct{ name, sh string }{
	{"read another key", `grep old "$D/other"`},
	{"read a key beneath another", `grep old "$D/in/other"`},
	{"read it by ..", `grep old "$D/in/../other"`},
	{"read it by /proc", `grep old /proc/self/root$D/other`},
	{"read it by a folder that is open", `cd "$D"; exec 3<.; grep old /proc/self/fd/3/other`},
	{"look at it", `stat "$D/other"`},
	{"list it", `ls "$D" | grep other`},
	{"write another key", `echo x > "$D/other"`},
	{"make another key", `echo x > "$D/new"`},
	{"make a folder", `mkdir "$D/folder"`},
	{"write what can be read", `echo x > "$D/kept"`},
	{"append to it", `echo x >> "$D/kept"`},
	{"truncate it", `truncate -s 0 "$D/kept"`},
	{"truncate it by an open descriptor", `python3 -c 'import os,sys; os.truncate(sys.argv[1], 1)' "$D/kept"`},
	{"map it", `python3 -c 'import mmap,os,sys; m=mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4); m[0:1]=b"x"; m.flush()' "$D/kept"`},
	{"map what was opened for reading", `python3 -c 'import mmap,os,sys; mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4, mmap.MAP_SHARED, mmap.PROT_READ)' "$D/kept"`},
	{"open it anew by /proc", `exec 3< "$D/kept"; echo x > /proc/self/fd/3`},
	{"remove it", `rm -f "$D/kept"`},
	{"rename it", `mv -T "$D/kept" "$D/moved"`},
	{"rename over it", `echo x > /tmp/x.$$ && mv -T /tmp/x.$$ "$D/kept"`},
	{"a second name", `ln "$D/kept" "$D/second"`},
	{"a second name elsewhere", `ln "$D/kept" "$(dirname "$D")/second"`},
	{"a link to it", `ln -s kept "$D/link"`},
	{"a link out", `ln -s /etc/passwd "$D/link" && cat "$D/link"`},
	{"a pipe", `mkfifo "$D/pipe"`},
	{"mode", `chmod 0777 "$D/kept"`},
	{"time", `touch -d 2001-01-01 "$D/kept"`},
	{"run it", `cp /bin/true "$D/program" && "$D/program"`},
	{"a name without meaning", `echo x > "$D/a b"`},
	{"a name that is long", `echo x > "$D/$(printf %0250d 1)"`},
	{"a name that looks like another", `cp "$D/other" "$D/оther"`},
	{"a pattern as a name", `echo x > "$D/*"`},
}

// F47: what outlives a session can be read and changed by its rights alone, whatever a
// program tries with the folder. Every way but looking works in an ordinary one.
func TestF47Storage(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	f.store(t, "kept", "other", "in/other")
	f.granting("storage.read:kept")
	var script strings.Builder
	for _, w := range storageWays {
		fmt.Fprintf(&script, "(%s) >/dev/null 2>&1 && echo 'done: %s'\n", w.sh, w.name)
	}
	script.WriteString("cat \"$D/kept\"\n")
	f.flags = append(f.flags, "--env", "D=/ambit/storage")
	out, err := f.box(t, "/bin/sh", "-c", script.String()).CombinedOutput()
	if err != nil || strings.Contains(string(out), "done: ") || !strings.Contains(string(out), "old kept\n") {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, key := range []string{"kept", "other", "in/other"} {
		if got := f.stored(t, key); got != "old "+key+"\n" {
			t.Errorf("%s is %q", key, got)
		}
	}
	if list := f.answered(t, "storage", "ls"); strings.Count(list, "\n") != 4 {
		t.Errorf("there is more:\n%s", list)
	}
	f.controlled(t)
}

// controlled makes each way in an ordinary folder, where it succeeds.
func (f *field) controlled(t *testing.T) {
	t.Helper()
	for i, w := range storageWays {
		d := filepath.Join(f.Dir, fmt.Sprint("plain", i), "storage")
		for _, key := range []string{"kept", "other", "in/other"} {
			f.put(t, filepath.Join(d, key), "old "+key+"\n")
		}
		cmd := exec.Command("/bin/sh", "-c", w.sh)
		cmd.Env = append(f.environ(), "D="+d)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s proves nothing: %v: %s", w.name, err, out)
		}
	}
}

// What may be written can be written, read back and removed, by what programs use.
func TestF47Granted(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	f.store(t, "kept", "in/other")
	f.granting("storage.read:kept", "storage.write:kept", "storage.write:in", "storage.read:in", "storage.write:blind")
	out, err := f.box(t, "/bin/sh", "-e", "-c", `cd /ambit/storage
		echo one > kept; echo two >> kept; cat kept
		echo made > in/new; mkdir in/deep; echo deep > in/deep/er; rm in/other; ls in
		python3 -c 'print("left open")' > in/open; cat in/open
		cp kept in/copy; cmp kept in/copy
		echo unseen > blind; ! cat blind 2>/dev/null; echo more >> blind
		sed -n 1p kept; tail -c 4 kept; ! mv kept in/moved 2>/dev/null || cat in/moved`).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "one\ntwo\ndeep\nnew\nleft open\n") {
		t.Errorf("%v: %s", err, out)
	}
	for key, want := range map[string]string{"in/new": "made\n", "in/deep/er": "deep\n", "in/other": "", "in/open": "left open\n", "blind": "unseen\nmore\n"} {
		if got := f.stored(t, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := f.answered(t, "audit", "ls", "--kind", "storage.commit"); strings.Count(got, "\n") < 8 {
		t.Errorf("recorded:\n%s", got)
	}
	f.answered(t, "audit", "verify")
}

// A program that is killed over it leaves what was there; what it closed before is
// there. The control is one that ends by itself.
func TestF47Killed(t *testing.T) {
	t.Parallel()
	for end, want := range map[string]string{"os.kill(os.getpid(), 9)": "old kept\n", "os._exit(0)": "half"} {
		f := newShelf(t)
		f.store(t, "kept")
		f.granting("storage.write:kept", "storage.write:before")
		out, err := f.box(t, "python3", "-c", `import os
open("/ambit/storage/before", "w").write("whole")
fd = os.open("/ambit/storage/kept", os.O_WRONLY | os.O_TRUNC)
os.write(fd, b"half")
`+end).CombinedOutput()
		if got := f.stored(t, "kept"); got != want {
			t.Errorf("%s: it is %q, want %q (%v: %s)", end, got, want, err, out)
		}
		if got := f.stored(t, "before"); got != "whole" {
			t.Errorf("%s: what was closed is %q", end, got)
		}
	}
}

// A server that is killed takes the sandbox with it, leaves a whole version, and
// nobody hangs.
func TestF47ServerKilled(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	f.store(t, "kept")
	f.granting("storage.read:kept", "storage.write:kept")
	for range 3 {
		s := f.begin(t, `echo ready; while :; do head -c 300000 /dev/zero | tr '\0' x > /ambit/storage/kept; head -c 200000 /dev/zero | tr '\0' y > /ambit/storage/kept; done`)
		if err := s.cmd.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Wait() // killed
		f.nothingLeft(t)
		switch got := f.stored(t, "kept"); got {
		case "old kept\n", strings.Repeat("x", 300000), strings.Repeat("y", 200000):
		default:
			t.Fatalf("there are %d bytes, from %.10q to the end", len(got), got)
		}
	}
	if out, err := f.box(t, "/bin/sh", "-c", "echo after > /ambit/storage/kept").CombinedOutput(); err != nil || f.stored(t, "kept") != "after\n" {
		t.Errorf("nothing can be stored afterwards: %v: %s", err, out)
	}
	if drafts, err := filepath.Glob(filepath.Join(f.Dir, "state/storage/*/drafts/*")); err != nil || len(drafts) > 0 {
		t.Errorf("left: %v %v", drafts, err)
	}
}

// On a full disk a program is told, and the old version stays.
func TestF47FullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to make a small disk")
	}
	f := newShelf(t)
	disk := filepath.Join(f.Dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "AMBIT_STATE_DIR="+disk)
	f.granting("storage.read:kept", "storage.write:kept", "storage.write:large")
	cmd := f.box(t, "/bin/sh", "-c", `cd /ambit/storage; echo "old" > kept
		head -c 8000000 /dev/zero > large || echo "told"; ls; cat kept; echo small > kept && cat kept`)
	inOwnMounts(cmd, `mount -t tmpfs -o size=6m none `+disk+` && "$0" "$@"; s=$?; `+ambit(t)+` storage ls; `+ambit(t)+` audit verify; exit $s`)
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "No space left on device") || !strings.Contains(text, "told\nkept\nold\nsmall\n") || strings.Contains(text, "-     large") || !strings.Contains(text, "intact") {
		t.Errorf("%v: %s", err, text)
	}
}

// Who commits without end is bounded, in versions and in the log, and keeps what was
// there before.
func TestF47Flood(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	f.store(t, "kept")
	f.granting("storage.write:kept", "storage.read:kept")
	f.flags = append(f.flags, "--limit", "versions=4", "--limit", "storage=100K")
	const flood = `import os, time
begin = time.monotonic()
bad = good = 0
for i in range(400):
    fd = os.open("/ambit/storage/kept", os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"%d" % i)
    try:
        os.close(fd); good += 1
    except OSError: bad += 1
print(256 <= good <= 257 + 20 * (time.monotonic() - begin))
try:
    fd = os.open("/ambit/storage/kept", os.O_WRONLY); os.pwrite(fd, b"x" * 200000, 0); os.close(fd)
except OSError as e: print(e.strerror)`
	out, err := f.box(t, "python3", "-c", flood).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "True\n") || !strings.Contains(string(out), "File too large") && !strings.Contains(string(out), "quota exceeded") {
		t.Errorf("%v: %s", err, out)
	}
	if got := f.stored(t, "--version", "1", "kept"); got != "old kept\n" {
		t.Errorf("what was there before is %q", got)
	}
	if n := strings.Count(f.answered(t, "storage", "show", "kept"), "\n"); n != 5 {
		t.Errorf("%d lines of versions", n)
	}
}

// TestF47Apart: nobody has another pack's, another organisation's or an earlier owner's.
func TestF47Apart(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	const rights = "storage.read:k storage.write:k"
	pack := func(name, id string) string {
		dir := filepath.Join(f.Dir, name)
		f.put(t, filepath.Join(dir, "ambit.json"), `{"id": "`+id+`", "name": "A", "version": "1.0.0", "kind": "cli-tool", "description": "Stores", "entry": ["sh", "-c"],
	"capabilities": [{"capability": "storage.read:k", "reason": "a test"}, {"capability": "storage.write:k", "reason": "a test"}]}`)
		return dir
	}
	run := func(script string, flags ...string) string {
		args := []string{"run"}
		for r := range strings.FieldsSeq(rights) {
			args = append(args, "--allow", r)
		}
		args = append(append(args, flags...), "--")
		if !strings.Contains(strings.Join(flags, " "), "--pack") {
			args = append(args, "/bin/sh", "-c")
		}
		out, _ := f.person(t, append(args, script)...)
		return out
	}
	a, b, thief := pack("a", "org.example.a"), pack("b", "org.example.b"), pack("thief", "org.example.a")
	const try = `while read -r l; do echo "it has $l"; done < /ambit/storage/k`
	run("echo mine > /ambit/storage/k", "--pack", a)
	if got := run(try, "--pack", a); !strings.Contains(got, "it has mine") {
		t.Fatalf("its own: %s", got)
	}
	for who, flags := range map[string][]string{"a run without a pack": nil, "another pack": {"--pack", b}, "an organisation": {"--org", "acme", "--pack", a}} {
		if got := run(try, flags...); strings.Contains(got, "it has") {
			t.Errorf("%s: %s", who, got)
		}
		run("echo theirs > /ambit/storage/k", flags...)
	}
	if got := run(try, "--pack", thief); !strings.Contains(got, "the id org.example.a belongs to the pack in") {
		t.Errorf("the same id elsewhere: %s", got)
	}
	if got := f.stored(t, "--pack", "org.example.a", "k"); got != "mine\n" {
		t.Errorf("it has become %q", got)
	}
	f.answered(t, "pack", "rm", "org.example.a")
	if got := run(try, "--pack", thief); strings.Contains(got, "it has") {
		t.Errorf("who got the id later: %s", got)
	}
	if got := f.stored(t, "--pack", "org.example.a", "k"); got != "" {
		t.Errorf("who got the id later has %q", got)
	}
	f.answered(t, "storage", "adopt", "org.example.a")
	if got := run(try, "--pack", thief); !strings.Contains(got, "it has mine") {
		t.Errorf("adopted: %s", got)
	}
	f.answered(t, "pack", "rm", "--storage", "org.example.a")
	if got := f.answered(t, "storage", "ls"); strings.Contains(got, "org.example.a") {
		t.Errorf("forgotten:\n%s", got)
	}
}

// A right that is taken back is gone for what is open, too.
func TestF47Revoked(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	f.store(t, "kept")
	var ids []string
	for _, r := range []string{"storage.read:kept", "storage.write:kept"} {
		out := f.answered(t, "grants", "add", r)
		ids = append(ids, out[:strings.IndexByte(out, ' ')])
	}
	s := f.begin(t, `exec 3> /ambit/storage/kept; echo new >&3; exec 4< /ambit/storage/kept; echo ready
		while [ -e /ambit/storage/kept ]; do sleep 0.05; done
		exec 3>&-; cat <&4 || echo "nothing to read"; ls /ambit/storage/kept 2>&1`)
	for _, id := range ids {
		f.answered(t, "grants", "revoke", id)
	}
	err := s.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	if got := s.out.String(); !strings.Contains(got, "nothing to read") || strings.Contains(got, "old kept") {
		t.Errorf("it said %q", got)
	}
	if got := f.stored(t, "kept"); got != "old kept\n" {
		t.Errorf("it has become %q", got)
	}
}

// F47 by an ordinary user, who has a device of their own.
func TestF47AsUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to make a device for somebody else")
	}
	dir, err := os.MkdirTemp("", "ambit-escape-") //nolint:usetesting // nobody else may go into a folder of the test's
	if err != nil {
		t.Fatal(err)
	}
	f := newShelfIn(t, dir)
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
	as := `mount --bind ` + node + ` /dev/fuse && exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$0" "$@"`
	var script strings.Builder
	for _, w := range storageWays {
		fmt.Fprintf(&script, "(%s) >/dev/null 2>&1 && echo 'done: %s'\n", w.sh, w.name)
	}
	script.WriteString(`echo mine > "$D/own"; cat "$D/own"; ls "$D"`)
	as = strings.Replace(as, "&& exec", `&& setpriv --reuid 65534 --regid 65534 --clear-groups -- `+ambit(t)+` run --allow storage.write:kept --allow storage.write:other -- sh -c 'echo "old kept" > /ambit/storage/kept; echo old > /ambit/storage/other' && exec`, 1)
	f.granting("storage.read:kept", "storage.write:own", "storage.read:own")
	f.flags = append(f.flags, "--env", "D=/ambit/storage")
	cmd := f.box(t, "/bin/sh", "-c", script.String())
	inOwnMounts(cmd, as)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := endedWithin(cmd, f.patient(longest)); err != nil || strings.Contains(out.String(), "done: ") || !strings.HasSuffix(out.String(), "mine\nkept\nown\n") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// The first touch of a key that a pack declares is a question, to read and to write one
// each; what is refused, or was never declared, is not there.
func TestF47Asked(t *testing.T) {
	t.Parallel()
	f := newShelfIn(t, hiddenDir(t))
	dir := filepath.Join(f.Dir, "pack")
	f.put(t, filepath.Join(dir, "ambit.json"), `{"id": "org.example.asks", "name": "A", "version": "1.0.0", "kind": "cli-tool", "description": "Asks", "entry": ["sh", "-c"],
	"capabilities": [{"capability": "storage.read:k", "reason": "a test"}, {"capability": "storage.write:k", "reason": "a test"},
		{"capability": "storage.read:refused", "reason": "a test"}, {"capability": "process.spawn", "reason": "a test"}]}`)
	f.flags = append(f.flags, "--ask", "queue", "--pack", dir, "--allow", "process.spawn")
	f.base = func() []string { return nil }
	cmd := f.box(t, `echo ready; echo new > /ambit/storage/k; cat /ambit/storage/k
		cat /ambit/storage/refused || echo absent; cat /ambit/storage/undeclared || echo absent; ls /ambit/storage`)
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended by then
	read := f.asked(t)
	f.answered(t, "approve", read.ID)
	write := f.asked(t, read)
	f.answered(t, "approve", write.ID)
	refused := f.asked(t, read, write)
	f.answered(t, "deny", refused.ID)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	text := regexp.MustCompile(`(?m)^ambit: .*\n`).ReplaceAllString(out.String(), "") // told beside what the program says
	if !strings.Contains(text, "new\n") || strings.Count(text, "absent\n") != 2 || !strings.Contains(text, "absent\nk\n") {
		t.Errorf("it said:\n%s", text)
	}
	if got := f.stored(t, "--pack", "org.example.asks", "k"); got != "new\n" {
		t.Errorf("stored: %q", got)
	}
	if list := f.answered(t, "audit", "ls", "-n", "0", "--kind", "decision"); strings.Contains(list, "undeclared") && strings.Contains(list, "ask storage.read:undeclared") {
		t.Errorf("what was not declared was asked about:\n%s", list)
	}
}
