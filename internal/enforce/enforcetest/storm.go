package enforcetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// Many at once, and whatever disturbs who waits.

// hide makes n files in the hidden folder, called f0 and on, that say their names.
func (p place) hide(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("f%d", i)
		if err := os.WriteFile(filepath.Join(p.hidden, name), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// slowly answers as show does, after a while.
func slowly(d time.Duration) func(context.Context, enforce.Touch) enforce.Answer {
	return func(_ context.Context, t enforce.Touch) enforce.Answer {
		time.Sleep(d)
		return show(t)
	}
}

// signals: all timers of a program that has threads, and another process that
// sends it what Go's runtime sends, disturb none of its calls: they succeed, they
// end, and none is interrupted where handlers have it started anew.
func (s asking) signals(t *testing.T) {
	const n = 80
	p := newHidden(t)
	p.hide(t, n)
	for i := range n {
		if err := os.Mkdir(filepath.Join(p.hidden, fmt.Sprint("d", i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(slowly(10 * time.Millisecond))
	e := s.python(t, p, a, `
import ctypes.util
for sig in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGURG):
    signal.signal(sig, lambda *_: None)
    signal.siginterrupt(sig, False)
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 0.002, 0.002)
me, storm = os.getpid(), os.fork()
if storm == 0:
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF): signal.setitimer(timer, 0)
    while os.getppid() == me:
        os.kill(me, signal.SIGURG)
        time.sleep(0.0005)
    os._exit(0)
wrong = []
def work(part):
    b, st = ctypes.create_string_buffer(9), ctypes.create_string_buffer(512)
    for i in range(part, 80, 8):
        name, made = f"{H}/f{i}".encode(), f"{H}/d{i}/made".encode()
        calls = {
            "stat": lambda: c.stat(name, st), "open": lambda: c.open(name, 0), "mkdir": lambda: c.mkdir(made, 0o755),
            "rename": lambda: c.rename(made, made + b"d"), "chmod": lambda: c.chmod(name, 0o600), "access": lambda: c.access(name, os.W_OK),
        }
        for what, call in calls.items():
            r = call()
            if r < 0: wrong.append(f"{what} {i}: {failed(r)}")
            if what != "open": continue
            while (n := c.read(r, b, 9)) < 0 and failed(n) == "EINTR": pass
            if r < 3 or b.raw[:n] != f"f{i}\n".encode(): wrong.append(f"descriptor {r} of {i} reads {b.raw[:n]}")
            c.close(r)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGURG)) # they are for the others
for t in threads: t.join()
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF): signal.setitimer(timer, 0)
os.kill(storm, signal.SIGKILL)
print(wrong or "undisturbed")`)
	mustPrint(t, e, "undisturbed\n")
	// Each file is read and then changed, in each folder something is made. A call that
	// a signal comes to before it is heard of is heard of once more, at most.
	if asked := len(a.put(p.hidden)); asked < 3*n || asked > 4*n {
		t.Errorf("asked %d times, want about %d", asked, 3*n)
	}
}

// vfork: a process that shares the memory of one that cannot go on meanwhile
// touches: what it opens, where it goes, and what it executes. So do processes
// that were forked by threads.
func (s asking) vfork(t *testing.T) {
	p := newHidden(t)
	p.hide(t, 20)
	if err := os.WriteFile(filepath.Join(p.hidden, "run"), []byte("#!/bin/sh\ncat; pwd\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newAnswers(slowly(10 * time.Millisecond))
	e := s.python(t, p, a, `
import subprocess
out = {}
def spawn(i):
    r, w = os.pipe()
    pid = os.posix_spawn(H + "/run", ["run"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 0, f"{H}/f{i}", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, w, 1)])
    os.close(w)
    with open(r) as f: text = f.read()
    out[i] = (os.waitpid(pid, 0)[1], text)
def fork(i): out[i] = (0, subprocess.run([H + "/run"], cwd=H, stdin=open(f"{H}/f{i}"), stdout=subprocess.PIPE, text=True).stdout)
threads = [threading.Thread(target=(spawn, fork)[i % 2], args=(i,)) for i in range(20)]
for t in threads: t.start()
for t in threads: t.join()
want = {i: (0, f"f{i}\n{(W, H)[i % 2]}\n") for i in range(20)}
print(out if out != want else "all")`)
	mustPrint(t, e, "all\n")
}

// processes: 200 at once touch the same file, and each one of its own.
func (s asking) processes(t *testing.T) {
	const n = 200
	p := newHidden(t)
	p.hide(t, n)
	var most, now atomic.Int32
	a := newAnswers(func(_ context.Context, t enforce.Touch) enforce.Answer {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		for end := time.Now().Add(patience); most.Load() < n && time.Now().Before(end) && filepath.Base(t.Path) == "file"; {
			time.Sleep(time.Millisecond)
			most.Store(max(most.Load(), now.Load()))
		}
		return show(t)
	})
	e := s.run(t, p, a, fmt.Sprintf(`for i in $(seq 0 %d); do cat "$HIDDEN/file" "$HIDDEN/f$i" & done | sort | uniq -c | awk '{ print $1 }' | sort -n | uniq -c | tr -s ' '; wait`, n-1))
	mustPrint(t, e, fmt.Sprintf(" %d 1\n 1 %d\n", n, n))
	if most.Load() < n {
		t.Errorf("at most %d waited at once, want %d", most.Load(), n)
	}
}

// mounts: 1,000 files are granted one by one, and each is there as it is, at a
// second look without a question; what stays denied stays away.
func (s asking) mounts(t *testing.T) {
	const n = 1000
	p := newHidden(t)
	p.hide(t, n)
	a := newAnswers(func(_ context.Context, t enforce.Touch) enforce.Answer {
		if t.Dir || filepath.Base(t.Path) == "file" {
			return enforce.Answer{}
		}
		return show(t)
	})
	e := s.python(t, p, a, fmt.Sprintf(`
n = %d
print(all(open(f"{H}/f{i}").read() == f"f{i}\n" for _ in range(2) for i in range(n)))
with open("/proc/self/mountinfo") as f: print(sum(H + "/f" in line for line in f))
print(os.path.exists(H + "/file"), os.path.exists(H + "/absent"))`, n))
	mustPrint(t, e, fmt.Sprintf("True\n%d\nFalse False\n", n))
	if got := len(a.put(p.hidden)); got > n+1 {
		t.Errorf("asked %d times, want each once", got)
	}
}

// touches: 10,000 files are touched by many threads and refused: each is heard of,
// all end, and what was waited for is given back.
func (s asking) touches(t *testing.T) {
	const n = 10_000
	p := newHidden(t)
	a := newAnswers(No)
	before := own(t)
	if err := os.Mkdir(filepath.Join(p.hidden, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := os.Link(filepath.Join(p.hidden, "file"), filepath.Join(p.hidden, "sub", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	e := s.python(t, p, a, fmt.Sprintf(`
n, got = %d, [set() for _ in range(16)]
def work(part):
    for i in range(part, n, 16): got[part].add(failed(c.open(f"{H}/sub/{i}".encode(), 0)))
threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
for t in threads: t.start()
for t in threads: t.join()
print(set.union(*got))`, n))
	mustPrint(t, e, "{'EACCES'}\n")
	if got := len(a.put(filepath.Join(p.hidden, "sub"))); got != n {
		t.Errorf("heard of %d touches, want %d", got, n)
	}
	if after := own(t); after.descriptors > before.descriptors+10 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// swapped: what lies at a path is exchanged all the time, on the host, between
// the touch, the answer and the mount, and is taken away and asked about again.
// What was answered about is what is read, and never the other.
func (s asking) swapped(t *testing.T) {
	for name, other := range map[string]func(secret, at string) error{
		"for a file": os.Link, "for a link": os.Symlink,
		"for a directory": func(_, at string) error { return os.Mkdir(at, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			file, secret, at := filepath.Join(p.hidden, "file"), filepath.Join(p.dir, "secret"), filepath.Join(p.dir, "other")
			if err := os.WriteFile(secret, []byte("secret\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := other(secret, at); err != nil {
				t.Fatal(err)
			}
			o := object(t, file)
			a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
				if touch.Dev != o.Dev || touch.Ino != o.Ino {
					return enforce.Answer{}
				}
				return show(touch)
			})
			in := s.input(t, p, `while [ ! -e "$WORK/two" ]; do cat "$HIDDEN/file" 2>/dev/null && : > "$WORK/read"; : > "$WORK/one"; done; echo over`)
			r := suite{tier: s.make(a), facts: s.facts}.start(t, in, nil)
			// At least a second, and on a busy machine until something was read.
			read := func() bool { _, err := os.Stat(filepath.Join(p.work, "read")); return err == nil }
			for begin := time.Now(); time.Since(begin) < time.Second || !read() && time.Since(begin) < patience; {
				if err := unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(time.Now().UnixNano() % int64(3*time.Millisecond)))
				if _, err := r.Hide(file); err != nil {
					t.Error(err)
				}
			}
			p.await(t, "one")
			p.say(t, "two")
			e := r.wait(t)
			if e.Exit != 0 || strings.Contains(e.out, "secret") || !strings.Contains(e.out, "hidden\n") || !strings.HasSuffix(e.out, "over\n") {
				t.Errorf("exit %d, output %q; errors %q", e.Exit, e.out, e.err)
			}
		})
	}
}

// killed: of processes that touch, each is killed at some moment between its touch
// and what comes of it. The others go on, and nothing of the dead is waited for.
func (s asking) killed(t *testing.T) {
	const n = 100
	p := newHidden(t)
	p.hide(t, n)
	e := s.python(t, p, newAnswers(slowly(5*time.Millisecond)), fmt.Sprintf(`
import random
touches = (lambda n: os.close(os.open(n, os.O_RDONLY)), os.stat, lambda n: os.mkdir(n + "d"), lambda n: os.rename(n, n + "r"), lambda n: os.execv(n, [n]))
for i in range(%d):
    pid = os.fork()
    if pid == 0:
        try: touches[i %% len(touches)](f"{H}/f{i}")
        finally: os._exit(0)
    time.sleep(random.random() * 0.012)
    os.kill(pid, signal.SIGKILL)
    begin = time.time()
    os.waitpid(pid, 0)
    if time.time() - begin > 60: print(f"{i} took {time.time() - begin}")
print(open(H + "/file").read(), end="")`, n))
	mustPrint(t, e, "hidden\n")
}
