package script_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const waits = `echo > /out/ready; exec sleep 1000`

// eventually waits for a condition, on a machine that may be busy.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func (b *bench) there(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, name))
	return err == nil
}

// runs reports whether a process of the session has this command line.
func (b *bench) runs(id, line string) bool {
	got := b.run("exec", id, "--", "python3", "-c", `import glob
for p in glob.glob("/proc/[0-9]*/cmdline"): print(open(p).read().replace("\0", " "))`)
	if got.status != 0 {
		b.t.Fatalf("look for processes: %+v", got)
	}
	return strings.Contains(got.out, "\n"+line+" \n") || strings.HasPrefix(got.out, line+" \n")
}

// Another program in a session that runs: its streams, its status, its record.
func TestExec(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.session(waits)
	cmd := b.command("exec", id, "--", "sh", "-c", "cat; echo err >&2; exit 7")
	cmd.Stdin = strings.NewReader("in\n")
	if got := b.finish(cmd); got.status != 7 || got.out != "in\n" || got.err != "err\n" {
		t.Errorf("got %+v", got)
	}
	if got := b.run("exec", id, "sh", "-c", "kill -TERM $$"); got.status != 143 {
		t.Errorf("killed: got %+v", got)
	}
	b.run("exec", "--env", "A=1", "--dir", "/tmp", id, "sh", "-c", "echo $A in $PWD for $AMBIT_SESSION").want(t, 0, "1 in /tmp for "+id)
	b.run("exec", id, "no-such-program").want(t, 127, `cannot execute "no-such-program"`)
	b.run("exec", id, "/etc/passwd").want(t, 125, `cannot execute "/etc/passwd"`)
	b.run("exec", "s-aaaaaaaaaa", "true").want(t, 125, `there is no session "s-aaaaaaaaaa"`)
	b.run("exec", "../x", "true").want(t, 125, "there is no session")
	b.run("exec", id).want(t, 125, "needs a session")
	// Files of the host are passed on by pipes.
	file := b.write("in.txt", "of a file\n")
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(b.dir, "out.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd = b.command("exec", id, "--", "sh", "-c", "cat; readlink /proc/self/fd/0 /proc/self/fd/1 | cut -c1-4")
	cmd.Stdin, cmd.Stdout = in, out
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(out.Name()); string(got) != "of a file\npipe\npipe\n" {
		t.Errorf("got %q", got)
	}
	b.run("audit", "ls", "--kind", "session.exec").want(t, 0, "session.exec", id, `runs there sh -c "cat; echo err >&2; exit 7"`)
	b.run("audit", "verify").want(t, 0)
	b.run("session", "show", id).want(t, 0, id, "layer        seccomp: holds", "plan         sha256:", "process.spawn: ")
	b.run("session", "show", "--json", id).want(t, 0, `"session": "`+id+`"`, `"holds": true`)
	b.run("stop", id).want(t, 0)
	b.run("exec", id, "true").want(t, 125, "does not run any more")
	b.run("session", "show", id).want(t, 125, "does not run any more")
}

// What was denied stays denied, and a pack starts what it was granted to start.
func TestExecDenied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tool := b.write("tool", "#!/bin/sh\necho it runs\n")
	if err := os.Chmod(tool, 0o755); err != nil {
		t.Fatal(err)
	}
	id, _ := b.listed(b.command("run", "--ask", "none", "--allow", "fs.read:"+b.dir, "--deny", "process.spawn:"+tool, "-v", b.dir+":/out:rw", "--", "sh", "-c", waits))
	b.run("exec", id, tool).want(t, 126, "ambit: denied process.spawn:"+tool+" (", "leave out --deny process.spawn:"+tool)
	b.run("exec", id, "true").want(t, 0)
	// That is what the kernel was told too.
	b.run("exec", id, "sh", "-c", tool).want(t, 126)

	pack := func(name, spawn string) string {
		return filepath.Dir(b.write("../packs/"+name+"/ambit.json", fmt.Sprintf(`{"$schema": "https://ambit.dev/schemas/ambit-1.json", "id": "org.example.%s", "name": "x", "version": "1.0.0",
			"kind": "cli-tool", "entry": ["sh", "-c", "echo > %s/ready; read x < %s/pipe"], "capabilities": [%s]}`, name, b.dir, b.dir, spawn)))
	}
	if err := unix.Mkfifo(filepath.Join(b.dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := fmt.Sprintf(`{"capability": "fs.write:%s", "reason": "to say that it is ready"}`, b.dir)
	for _, tc := range []struct {
		name, spawn string
		status      int
		want        string
	}{
		{"none", write, 126, "denied process.spawn:"},
		{"one", write + `, {"capability": "process.spawn:/usr/bin/id", "reason": "x"}`, 126, "denied process.spawn:"},
	} {
		if err := os.Remove(filepath.Join(b.dir, "ready")); err != nil {
			t.Fatal(err)
		}
		dir := pack(tc.name, tc.spawn)
		flags := []string{"run", "--allow", "fs.write:" + b.dir, "--pack", dir}
		if tc.name == "one" {
			flags = []string{"run", "--allow", "fs.write:" + b.dir, "--allow", "process.spawn:/usr/bin/id", "--pack", dir}
		}
		id, _ := b.listed(b.command(flags...))
		b.run("exec", id, "true").want(t, tc.status, tc.want)
		b.run("audit", "ls", "--session", id).want(t, 0, "deny process.spawn:")
		if tc.name == "one" {
			b.run("exec", id, "id").want(t, 0, "uid=")
		}
		if got := b.run("audit", "ls", "--kind", "session.exec", "--session", id).out; strings.Contains(got, "true") {
			t.Errorf("what was denied is recorded as started: %s", got)
		}
		b.run("stop", id).want(t, 0)
	}
}

// Who is killed ends what was started, wherever that has gone, and no more; when
// what looks after the session is killed, all of it ends.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, ended := b.session(waits)
	cmd := b.command("exec", id, "--", "sh", "-c", `(setsid sleep 1001 &); sleep 1002 & echo > /out/begun; exec sleep 1003`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it begins", func() bool { return b.there("begun") && b.runs(id, "sleep 1001") && b.runs(id, "sleep 1003") })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "all of it ends", func() bool {
		return !b.runs(id, "sleep 1001") && !b.runs(id, "sleep 1002") && !b.runs(id, "sleep 1003")
	})
	if !b.runs(id, "sleep 1000") {
		t.Error("the session's own program has ended with it")
	}
	// What was left running by one that has ended goes on.
	b.run("exec", id, "sh", "-c", "setsid sleep 1004 >/dev/null 2>&1 </dev/null &").want(t, 0)
	eventually(t, "what it left running goes on", func() bool { return b.runs(id, "sleep 1004") })
	left := b.command("exec", id, "--", "sh", "-c", "echo > /out/last; exec sleep 1005")
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last one begins", func() bool { return b.there("last") })
	b.run("stop", "--now", id).want(t, 0)
	if err := <-ended; err == nil {
		t.Error("the session ended well, though it was stopped")
	}
	err := left.Wait()
	if got := left.ProcessState.ExitCode(); got != 125 && got != 137 {
		t.Errorf("the session was killed, and it ends with %d, %v", got, err)
	}
}

// Signals reach the program; one that takes no notice of being told to end is ended.
func TestExecSignals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.session(waits)
	for name, tc := range map[string]struct {
		sig    syscall.Signal
		status int
	}{"interrupt": {syscall.SIGINT, 4}, "terminate": {syscall.SIGTERM, 5}, "user": {syscall.SIGUSR1, 6}} {
		cmd := b.command("exec", id, "--", "sh", "-c", `trap 'exit 4' INT; trap 'exit 5' TERM; trap 'exit 6' USR1; echo > "/out/`+name+`"; while :; do sleep 0.05; done`)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, name, func() bool { return b.there(name) })
		if err := cmd.Process.Signal(tc.sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its status is looked at
		if got := cmd.ProcessState.ExitCode(); got != tc.status {
			t.Errorf("%s: got %d, want %d", name, got, tc.status)
		}
	}
}

// On a terminal the program has one of its own: with a name, a size, job control,
// and its keys.
func TestExecOnTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.session(waits)
	x := b.onTerminal("exec", id, "--", "sh", "-i")
	x.expect(map[bool]string{false: "$ ", true: "# "}[os.Getuid() == 0])
	x.typed("echo on $(tty), $TERM, $(stty size)\n")
	x.expect("on /dev/pts/0, xterm, 30 100")
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 77, Row: 22}); err != nil {
		t.Fatal(err)
	}
	x.typed("trap 'echo size $(stty size)' WINCH; for i in $(seq 600); do sleep 0.1; [ \"$(stty size)\" = '22 77' ] && break; done; echo now $(stty size)\n")
	x.expect("now 22 77")
	x.typed("sleep 1009; echo went on\n")
	eventually(t, "it sleeps", func() bool { return b.runs(id, "sleep 1009") })
	x.typed("\x1a") // Ctrl-Z
	x.expect("Stopped")
	x.typed("kill %1; fg; echo then\n")
	x.expect("then")
	x.typed("sleep 1008; echo interrupted $?\n")
	eventually(t, "it sleeps again", func() bool { return b.runs(id, "sleep 1008") })
	x.typed("\x03") // Ctrl-C
	eventually(t, "it is interrupted", func() bool { return !b.runs(id, "sleep 1008") })
	x.typed("exit 3\n")
	x.ends(3)
	// What does not look at its keys has the terminal all the same.
	x = b.onTerminal("exec", id, "--", "sh", "-c", "echo begun; cat; echo over")
	x.expect("begun")
	x.typed("typed\n")
	x.expect("typed\r\ntyped")
	x.typed("\x04") // end of input
	x.ends(0)
}

// Only this user reaches a session, and no program in a sandbox.
func TestExecSocket(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	state := filepath.Join(filepath.Dir(b.dir), "state")
	id, _ := b.listed(b.command("run", "--ask", "none", "--allow", "fs.write:"+filepath.Dir(b.dir), "-v", b.dir+":/out:rw", "--", "sh", "-c", waits))
	at := filepath.Join(state, "control", id)
	fi, err := os.Stat(at)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", fi, err)
	}
	const connect = `import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(60)
s.connect(sys.argv[1])
f = os.memfd_create("order")
os.write(f, b'{"verb": "show"}')
socket.send_fds(s, [b"{}"], [f])
print(s.recv(65536).decode())`
	outside := func(argv ...string) string {
		cmd := exec.Command(argv[0], append(argv[1:], "python3", "-c", connect, at)...)
		cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"} // of everybody
		out, _ := cmd.CombinedOutput()                          // what it says is looked at
		return string(out)
	}
	if got := outside("env"); !strings.Contains(got, `"began":true`) {
		t.Fatalf("from outside, as this user: %s", got)
	}
	if got := b.run("exec", id, "--", "python3", "-c", connect, at); got.status == 0 || !strings.Contains(got.err, "Error") {
		t.Errorf("from inside: %+v", got)
	}
	if got := outside("unshare", "--user", "--map-root-user"); !strings.Contains(got, "is in other namespaces") {
		t.Errorf("from other namespaces: %s", got)
	}
	if os.Getuid() != 0 {
		return
	}
	// Another user, where nothing else would be in the way.
	for dir := filepath.Dir(at); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) { //nolint:usetesting // folders above the one of this test
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(at, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := outside("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"); !strings.Contains(got, "a process of user 65534 may not") {
		t.Errorf("another user: %s", got)
	}
}
