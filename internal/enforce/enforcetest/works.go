package enforcetest

import (
	"os/exec"
	"testing"
)

// ordinary are scripts of ordinary programs, which must exit with 0.
var ordinary = []struct {
	name, script string
	needs        string // a program that the host may not have
}{
	{"sh", `x=$(echo a | tr a b) && test "$x" = b && (exit 3); test $? = 3`, ""},
	{"job control", `set -m; sleep 0.1 & wait %1`, ""},
	{"files in the grant", `mkdir -p d/e && echo x > d/e/f && mv d/e/f d/g && ln d/g d/h && ln -s g d/l && cat d/l && chmod 600 d/g && touch d/g && rm -r d`, ""},
	{"files of a read grant", `test "$(cat "$READ/file")" = read && ls -la "$READ"`, ""},
	{"temporary files", `f=$(mktemp) && echo x > $f && d=$(mktemp -d) && cd $d && : > y && test -w /var/tmp`, ""},
	{"working directory", `test "$(pwd -P)" = "$WORK" && test -O "$WORK"`, ""},
	{"identity", `id -u && id -un && test "$(uname -n)" != "" && test -w "$WORK"`, ""},
	{"devices", `echo x > /dev/null && test $(head -c 10 /dev/zero | wc -c) = 10 && test $(head -c 10 /dev/urandom | wc -c) = 10 && ! echo x > /dev/full 2>/dev/null && test -e /dev/random`, ""},
	{"standard descriptors by name", `echo x > /dev/stdout && echo x > /dev/stderr && echo x > /proc/self/fd/1 && cat /dev/stdin && cat /dev/fd/0`, ""},
	{"proc", `test -r /proc/self/status && test -r /proc/cpuinfo && test -r /proc/meminfo && ps >/dev/null && test "$(cat /proc/sys/kernel/hostname)" != ""`, ""},
	{"shared memory", `python3 -c 'from multiprocessing import shared_memory as s; m = s.SharedMemory(create=True, size=4096); m.buf[0] = 1; m.close(); m.unlink()'`, ""},
	{"a terminal", `script -qec 'test -t 0 && stty size && tty' /dev/null | grep /dev/pts`, "script"},
	{"a terminal of python", `python3 -c 'import os, pty; p, f = pty.fork()
if p == 0: os.execlp("sh", "sh", "-c", "test -t 1 && exit 7")
try:
    while os.read(f, 100): pass
except OSError: pass
assert os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) == 7'`, ""},
	{"threads that fork", `python3 -c 'import subprocess, threading
def run():
    for i in range(5): assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
ts = [threading.Thread(target=run) for i in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]'`, ""},
	{"multiprocessing", `python3 -c 'import multiprocessing as m
with m.Pool(3) as p: assert p.map(abs, range(-9, 0)) == list(range(9, 0, -1))'`, ""},
	{"a database", `python3 -c 'import sqlite3; c = sqlite3.connect("x.db"); c.execute("pragma journal_mode=wal"); c.execute("create table t(x)"); c.execute("insert into t values(1)"); c.commit()'`, ""},
	{"unix sockets in /tmp", `python3 -c 'import socket, threading
s = socket.socket(socket.AF_UNIX); s.bind("/tmp/s"); s.listen()
threading.Thread(target=lambda: s.accept()[0].send(b"x")).start()
c = socket.socket(socket.AF_UNIX); c.connect("/tmp/s"); assert c.recv(1) == b"x"'`, ""},
	{"its own loopback", `python3 -c 'import socket
for family, a in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    s = socket.socket(family); s.bind((a, 0)); s.listen()
    c = socket.create_connection(s.getsockname()[:2], 60); s.accept()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.sendto(b"x", u.getsockname()); assert u.recv(9) == b"x"'`, ""},
	{"a server", `python3 -m http.server -b 127.0.0.1 8123 >/dev/null 2>&1 & p=$!; for i in $(seq 1200); do curl -sf http://127.0.0.1:8123/file && break; sleep 0.05; done | grep work; r=$?; kill $p; exit $r`, "curl"},
	{"interfaces", `python3 -c 'import socket; assert [n for i, n in socket.if_nameindex() if n == "lo"]'`, ""},
	{"a signal handler", `trap 'exit 0' USR1; kill -USR1 $$; exit 1`, ""},
	{"a timer", `timeout 0.2 sleep 600; test $? = 124`, ""},
	{"locks", `flock "$WORK/file" true && python3 -c 'import fcntl; fcntl.lockf(open("file", "r+"), fcntl.LOCK_EX)'`, "flock"},
	{"memory files", `python3 -c 'import os; f = os.memfd_create("x"); os.write(f, b"x")'`, ""},
	{"inotify", `python3 -c 'import ctypes; c = ctypes.CDLL(None); f = c.inotify_init(); assert c.inotify_add_watch(f, b".", 0x100) > 0'`, ""},
	{"tar", `tar cf x.tar file && mkdir t && tar xf x.tar -C t && cmp file t/file`, "tar"},
	{"git", `git init -q r && cd r && git config user.email a@b && git config user.name a && echo x > f && git add f && git commit -qm m && git clone -q . ../r2 && git -C ../r2 log --oneline`, "git"},
	{"node", `node -e 'const c = require("child_process"); const w = new (require("worker_threads").Worker)("process.exit(0)", {eval: true}); if (c.execSync("echo x") != "x\n") process.exit(1)'`, "node"},
	{"go", `cd /tmp && echo 'package p; var X = 1' > p.go && HOME=/tmp go tool compile -p p -o p.o p.go && test -s p.o`, "go"},
	{"cc", `cd /tmp && echo 'int main(void) { return 0; }' > x.c && cc -o x x.c && ./x`, "cc"},
	{"perl", `perl -e 'system("true") == 0 or die; open(F, ">", "p") or die; close F; rename("p", "q") or die'`, "perl"},
	{"a large environment", `test ${#BIG} = 100000`, ""},
}

// works runs what must still work.
func (s suite) works(t *testing.T) {
	for _, o := range ordinary {
		t.Run(o.name, func(t *testing.T) {
			if o.needs != "" {
				if _, err := exec.LookPath(o.needs); err != nil {
					return // what the host does not have cannot break
				}
			}
			p := newPlace(t)
			in := p.input(t, "/bin/sh", "-c", o.script)
			in.Program.Env = append(in.Program.Env, "BIG="+string(make100000('x')))
			r := s.run(t, in, nil)
			if r.Exit != 0 {
				t.Errorf("exit %d, %+v\n%s%s", r.Exit, r.Result, r.out, r.err)
			}
			p.gone(t)
		})
	}
}

func make100000(b byte) []byte {
	text := make([]byte, 100_000)
	for i := range text {
		text[i] = b
	}
	return text
}
