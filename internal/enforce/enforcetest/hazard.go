package enforcetest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// The ways in which asking went wrong in prototypes, here or elsewhere. The
// programs are python3's, which can pass to the kernel whatever it likes.

// libc is the beginning of these programs: calls without the retries and checks
// of the language.
const libc = `
import ctypes, errno, os, signal, sys, threading, time
c = ctypes.CDLL(None, use_errno=True)
H, W = os.environ["HIDDEN"], os.environ["WORK"]
def failed(r): return errno.errorcode[ctypes.get_errno()] if r < 0 else "ok"
`

func (s asking) python(t *testing.T, p place, a *answers, script string) ended {
	t.Helper()
	in := s.input(t, p, "")
	in.Program.Path, in.Program.Argv = "/usr/bin/python3", []string{"python3", "-c", libc + script}
	return suite{tier: s.make(a), facts: s.facts}.run(t, in, nil)
}

// timers: signals that arrive while a call waits for its answer neither make it
// fail nor start it anew for ever. One that comes before the call was heard of
// may.
func (s asking) timers(t *testing.T) {
	p := newHidden(t)
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(p.hidden, "f"+string(rune('A'+i))), []byte{byte('A' + i)}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		time.Sleep(5 * time.Millisecond)
		return show(touch)
	})
	e := s.python(t, p, a, `
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
interrupted = 0
for i in range(50):
    name = f"{H}/f{chr(65 + i)}".encode()
    while (f := c.open(name, 0)) < 0:
        if failed(f) != "EINTR" or interrupted > 5000: sys.exit(f"{name}: {failed(f)}")
        interrupted += 1
    b = ctypes.create_string_buffer(9)
    while (n := c.read(f, b, 9)) < 0: pass
    if f < 3 or b.raw[:n] != chr(65 + i).encode(): sys.exit(f"{name} is {f}: {b.raw}")
    c.close(f)
signal.setitimer(signal.ITIMER_REAL, 0)
print("done")`)
	mustPrint(t, e, "done\n")
	if put := a.put(p.hidden); len(put) != 50 {
		t.Errorf("asked %d times about 50 files: a call that waited was interrupted: %q", len(put), put)
	}
}

// paths that cannot be read, or are none: the kernel knows what is an error.
func (s asking) oddPaths(t *testing.T) {
	a := newAnswers(AsWanted)
	p := newHidden(t)
	e := s.python(t, p, a, `
f = os.open(W + "/file", os.O_RDWR)
print("null", failed(c.futimens(f, None)))
b = ctypes.create_string_buffer(512)
print("empty statx", failed(c.statx(f, b"", 0x1000, 0x7ff, b)), failed(c.statx(f, b"", 0, 0x7ff, b)))
print("empty open", failed(c.open(b"", 0)))
print("bad", failed(c.open(ctypes.c_void_p(8), 0)), failed(c.chdir(ctypes.c_void_p(8))))
print("long", failed(c.open((H + "/" + "x" * 5000).encode(), 0)))
import mmap
m = mmap.mmap(-1, 3 * mmap.PAGESIZE)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
c.munmap(ctypes.c_void_p(at + 2 * mmap.PAGESIZE), mmap.PAGESIZE)
name = (H + "/file").encode() + b"\0"
for end in (2 * mmap.PAGESIZE, mmap.PAGESIZE + 5):
    ctypes.memmove(at + end - len(name), name, len(name))
    print("at the end of a page", failed(c.open(ctypes.c_void_p(at + end - len(name)), 0)))
print("no directory", failed(c.openat(77, b"file", 0)), failed(c.openat(f, b"file", 0)), failed(c.open((W + "/file/x").encode(), 0)))
print("loop", failed(c.open((H + "/loop").encode(), 0)))
sys.stdout.flush(); os._exit(0)`)
	mustPrint(t, e, "null ok\nempty statx ok ENOENT\nempty open ENOENT\nbad EFAULT EFAULT\nlong ENAMETOOLONG\n"+
		"at the end of a page ok\nat the end of a page ok\nno directory EBADF ENOTDIR ENOTDIR\nloop ENOENT\n")
}

// ownPaths: /proc/self and the like mean the program, and not who reads the path
// for it.
func (s asking) ownPaths(t *testing.T) {
	a := newAnswers(No)
	p := newHidden(t)
	e := s.python(t, p, a, `
f = os.open(W + "/file", os.O_RDWR)
os.chmod(f"/proc/self/fd/{f}", 0o640)
os.utime(f"/proc/thread-self/fd/{f}", (1, 1))
os.chmod(f"/dev/fd/{f}", 0o600)
os.truncate(f"/proc/{os.getpid()}/fd/{f}", 1)
print(oct(os.stat(f"/proc/self/fd/{f}").st_mode), os.stat(W + "/file").st_size, os.readlink(f"/proc/self/fd/{f}") == W + "/file")
print(os.readlink("/proc/self/cwd") == os.getcwd(), open("/proc/self/comm").read().strip(), os.path.exists("/proc/self/fd/0"), open("/dev/null", "w").write("x"))
os.open("/proc/self/root/usr", os.O_PATH)
os.chdir("/proc/self"); print(open("comm").read().strip())`)
	mustPrint(t, e, "0o100600 1 True\nTrue python3 True 1\npython3\n")
	if put := a.put("/"); len(put) != 0 {
		t.Errorf("asked %q, want nothing", put)
	}
}

// asIs: what is made after an answer is made by the program's own call, with its
// mask and its flags.
func (s asking) asIs(t *testing.T) {
	p := newHidden(t)
	e := s.python(t, p, newAnswers(AsWanted), `
os.umask(0o077)
f = os.open(H + "/new", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o666)
os.write(f, b"one"); os.lseek(f, 0, 0); os.write(f, b"two")
os.mkdir(H + "/dir", 0o777)
print(oct(os.stat(H + "/new").st_mode), oct(os.stat(H + "/dir").st_mode), os.stat(H + "/new").st_uid == os.getuid(), os.get_inheritable(f))
try: os.open(H + "/new", os.O_RDWR | os.O_CREAT | os.O_EXCL)
except FileExistsError: print("exists")`)
	mustPrint(t, e, "0o100600 0o40700 True False\nexists\n")
	if got := contents(t, p.hidden); got != "dir/ file=hidden\n new=onetwo" {
		t.Errorf("the host has %q", got)
	}
}

// rewritten: a second thread rewrites the path while it is looked at. What is then
// opened, executed or changed is what was granted, and never what was refused.
func (s asking) rewritten(t *testing.T) {
	p := newHidden(t)
	secret := filepath.Join(p.hidden, "secr")
	if err := os.WriteFile(secret, []byte("#!/bin/sh\necho secret\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path != filepath.Join(p.hidden, "file") || touch.Kind == enforce.TouchRun {
			return enforce.Answer{}
		}
		return show(touch)
	})
	e := s.python(t, p, a, `
names = [(H + "/file").encode(), (H + "/secr").encode()]
path = ctypes.create_string_buffer(names[0])
begin, over = time.time(), False
def rewrite():
    while not over:
        for n in names: ctypes.memmove(path, n, len(n))
threads = [threading.Thread(target=rewrite) for _ in range(2)]
for t in threads: t.start()
b = ctypes.create_string_buffer(100)
seen, st = set(), ctypes.create_string_buffer(512)
while time.time() < begin + 0.5 or b"hidden\n" not in seen and time.time() < begin + 60:
    f = c.open(path, 0)
    if f >= 0:
        n = c.read(f, b, 100)
        seen.add(b.raw[:n]); c.close(f)
    if c.stat(path, st) == 0: seen.add(int.from_bytes(st.raw[48:56], "little"))
    if c.chmod(path, 0o600) == 0: seen.add("chmod")
    if c.truncate(path, 7) == 0: seen.add("truncate")
over = True
for t in threads: t.join()
print(sorted(map(str, seen)))`)
	if e.Exit != 0 || strings.Contains(e.out, "secret") || !strings.Contains(e.out, "hidden") {
		t.Errorf("exit %d, output %q, errors %q", e.Exit, e.out, e.err)
	}
	if fi, err := os.Stat(secret); err != nil || fi.Mode().Perm() != 0o755 || fi.Size() != 22 {
		t.Errorf("what was refused was changed: %v, %v", fi, err)
	}
}

// unreadable: the memory of a process that must not be looked at is not looked at;
// it reaches what was granted and nothing else, and does not hang.
func (s asking) unreadable(t *testing.T) {
	p := newHidden(t)
	secret := filepath.Join(p.hidden, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Path == secret {
			return enforce.Answer{}
		}
		return show(touch)
	})
	e := s.run(t, p, a, `cat "$HIDDEN/file"; cp /bin/cat /tmp/cat; chmod 111 /tmp/cat; /tmp/cat "$HIDDEN/file"; /tmp/cat "$HIDDEN/secret" "$HIDDEN/absent" 2>/dev/null
		python3 -c 'import ctypes, os; ctypes.CDLL(None).prctl(4, 0); print(open(os.environ["HIDDEN"] + "/file").read(), end=""); open(os.environ["HIDDEN"] + "/secret")' 2>/dev/null || echo refused`)
	mustPrint(t, e, "hidden\nhidden\nhidden\nrefused\n")
}

// ownRoot: what the view itself has on the way to what was granted cannot be
// written to, and nothing that is written is lost.
func (s asking) ownRoot(t *testing.T) {
	p := newHidden(t)
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if touch.Kind == enforce.TouchWrite {
			return enforce.Answer{}
		}
		return show(touch)
	})
	e := s.run(t, p, a, `cat "$HIDDEN/file" >/dev/null
		for f in "$HIDDEN/new" "$HIDDEN/../new" /new /usr/../new "$HIDDEN/file"; do echo x 2>/dev/null >"$f" && echo "wrote $f"; done
		mkdir "$HIDDEN/dir" || rmdir "$HIDDEN" || chmod 777 "$HIDDEN" || mv "$HIDDEN" /x || ln -s x "$HIDDEN/l" || mkdir /dir || rm "$HIDDEN/file" || touch / || echo nothing
		ls "$HIDDEN"; grep -c ' / / ro,' /proc/self/mountinfo`)
	if e.Exit != 0 || e.out != "nothing\nfile\n1\n" {
		t.Errorf("exit %d, output %q; errors %q", e.Exit, e.out, e.err)
	}
	if got := contents(t, p.hidden); got != "file=hidden\n" {
		t.Errorf("the host has %q", got)
	}
}

// links: a path that leads through links of the host, to what is hidden or not,
// works like on the host. Nothing is asked about the links themselves.
func (s asking) links(t *testing.T) {
	for name, c := range map[string]struct{ script, want, put string }{
		"to a file":         {`cat "$HIDDEN/l"`, "in sub\n", "read sub/f"},
		"of a directory":    {`cat "$HIDDEN/d/f"`, "in sub\n", "read sub/f"},
		"absolute":          {`cat "$HIDDEN/abs"; cat "$HIDDEN/abs"`, "in sub\nin sub\n", "read sub/f"},
		"a chain":           {`cat "$HIDDEN/chain"`, "in sub\n", "read sub/f"},
		"up again":          {`cat "$HIDDEN/d/../file"`, "hidden\n", "read file"},
		"by their target":   {`readlink "$HIDDEN/l" "$HIDDEN/d"; stat -c %F "$HIDDEN/l"`, "sub/f\nsub\nsymbolic link\n", ""},
		"into the view":     {`cat "$HIDDEN/null"; test -x "$HIDDEN/usr/env" && echo there`, "there\n", ""},
		"to nothing":        {`cat "$HIDDEN/dangling" 2>/dev/null || echo absent; ls -d "$HIDDEN/dangling/x" 2>/dev/null || echo absent`, "absent\nabsent\n", ""},
		"in a circle":       {`cat "$HIDDEN/circle" 2>/dev/null || echo circle`, "circle\n", ""},
		"of the program":    {`ln -s "$HIDDEN" /tmp/l; cat /tmp/l/file /tmp/l/d/f`, "hidden\nin sub\n", "read file, read sub/f"},
		"made through":      {`echo new > "$HIDDEN/dangling"; cat "$HIDDEN/dangling"`, "new\n", "write . (dangling|absent)"},
		"and then the rest": {`cat "$HIDDEN/l"; cat "$HIDDEN/file"; ls "$HIDDEN/sub"`, "in sub\nhidden\nf\n", "read sub/f, read file"},
		"of a program":      {`"$HIDDEN/run"`, "ran\n", "run sub/run"},
		"twice":             {`cat "$HIDDEN/d/f" "$HIDDEN/d/g"; ls "$HIDDEN/d/"`, "in sub\nalso\nf\ng\n", "read sub/f, read sub/g"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newHidden(t)
			p.fill(t)
			a := newAnswers(AsWanted)
			mustPrint(t, s.run(t, p, a, c.script), c.want)
			if put := strings.Join(a.put(p.hidden), ", "); !regexp.MustCompile("^" + c.put + "$").MatchString(put) {
				t.Errorf("asked %q, want %q", put, c.put)
			}
		})
	}
}

// fill makes links of all kinds in the hidden folder.
func (p place) fill(t *testing.T) {
	t.Helper()
	sub := filepath.Join(p.hidden, "sub")
	for _, err := range []error{
		os.Mkdir(sub, 0o755), os.WriteFile(sub+"/f", []byte("in sub\n"), 0o644), os.WriteFile(sub+"/g", []byte("also\n"), 0o644),
		os.WriteFile(sub+"/run", []byte("#!/bin/sh\necho ran\n"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"l": "sub/f", "d": "sub", "abs": sub + "/f", "chain": "two", "two": "./d/../l", "null": "/dev/null", "usr": "../../../../../../../usr/bin",
		"dangling": "absent", "circle": "elcric", "elcric": "circle", "run": "sub/run",
	} {
		if err := os.Symlink(target, filepath.Join(p.hidden, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// interpreted: the kernel itself opens the interpreter of a script; that is asked
// about like the script.
func (s asking) interpreted(t *testing.T) {
	p := newHidden(t)
	sh, err := os.ReadFile(mustResolve(t, "/bin/sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.WriteFile(filepath.Join(p.hidden, "sh"), sh, 0o755),
		os.WriteFile(filepath.Join(p.hidden, "run"), []byte("#!"+p.hidden+"/sh\necho ran\n"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	a := newAnswers(AsWanted)
	mustPrint(t, s.run(t, p, a, `"$HIDDEN/run"`), "ran\n")
	put := a.put(p.hidden)
	slices.Sort(put)
	if put = slices.Compact(put); !slices.Equal(put, []string{"run run", "run sh"}) {
		t.Errorf("asked %q, want to run both", put)
	}
}
