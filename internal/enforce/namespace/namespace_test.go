//go:build linux

package namespace_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// child is a process that was started by a row, with init inside.
type child struct {
	t    *testing.T
	pid  int
	line *os.File // our end of init's descriptor 3
	out  *os.File
	done chan unix.WaitStatus
}

// start runs init with a command. Before prepares the row.
func start(t *testing.T, before func(*namespace.List), argv ...string) *child {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	initFD, err := namespace.OpenInit()
	if err != nil {
		t.Fatal(err)
	}
	var copies []int
	high := func(fd int) int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 16)
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, n)
		return n
	}
	l := &namespace.List{}
	all := &unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	l.Call("block signals", unix.SYS_RT_SIGPROCMASK, namespace.N(unix.SIG_SETMASK), namespace.Pointer(l, all), namespace.N(0), namespace.N(8))
	if before != nil {
		before(l)
	}
	l.Call("stdout", unix.SYS_DUP3, namespace.N(high(int(w.Fd()))), namespace.N(1), namespace.N(0))
	l.Call("line", unix.SYS_DUP3, namespace.N(high(pair[1])), namespace.N(3), namespace.N(0))
	l.Exec(high(initFD), append([]string{"init", argv[0]}, argv...), []string{"PATH=/usr/bin:/bin", "X=1 2"})
	c := &child{t: t, line: os.NewFile(uintptr(pair[0]), "line"), out: r, done: make(chan unix.WaitStatus, 1)}
	if c.pid, err = run(t, l, c.done); err != nil {
		t.Fatal(err)
	}
	for _, fd := range append(copies, initFD, pair[1]) {
		_ = unix.Close(fd)
	}
	_ = w.Close()
	t.Cleanup(func() { _ = unix.Kill(c.pid, unix.SIGKILL); _ = c.line.Close(); _ = r.Close() })
	return c
}

// run runs a row, and answers as soon as it is known whether there is a process.
func run(t *testing.T, l *namespace.List, done chan<- unix.WaitStatus) (int, error) {
	t.Helper()
	told, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		var ws unix.WaitStatus
		l.Run(told, &ws)
		done <- ws
	}()
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		_, err = unix.Read(told, make([]byte, 8))
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(told)
	return l.Started()
}

func (c *child) release() {
	if _, err := c.line.Write([]byte{1}); err != nil {
		c.t.Fatal(err)
	}
}

// status is what init says of the program's end.
func (c *child) status() int32 {
	c.t.Helper()
	var b [4]byte
	if n, err := c.line.Read(b[:]); err != nil || n != 4 {
		c.t.Fatalf("init's last word: %d bytes, %v", n, err)
	}
	return int32(binary.NativeEndian.Uint32(b[:]))
}

func (c *child) wait() unix.WaitStatus {
	c.t.Helper()
	select {
	case ws := <-c.done:
		return ws
	case <-time.After(time.Minute):
		c.t.Fatal("init did not end")
		return 0
	}
}

func TestInitWaitsForRelease(t *testing.T) {
	c := start(t, nil, "/bin/sh", "-c", "echo ran")
	select {
	case ws := <-c.done:
		t.Fatalf("it ended before it was released: %v", ws)
	case <-time.After(50 * time.Millisecond):
	}
	c.release()
	if s := c.status(); s != 0 {
		t.Errorf("status %d", s)
	}
	out := make([]byte, 16)
	if n, _ := c.out.Read(out); string(out[:n]) != "ran\n" {
		t.Errorf("output %q", out[:n])
	}
	c.wait()
}

// TestInitEndsWithLauncher: when the line closes before the release, the
// program never runs.
func TestInitEndsWithLauncher(t *testing.T) {
	c := start(t, nil, "/bin/sh", "-c", "echo ran")
	_ = c.line.Close()
	if ws := c.wait(); ws.ExitStatus() != 125 {
		t.Errorf("init ended with %d, want 125", ws.ExitStatus())
	}
	out := make([]byte, 16)
	if n, _ := c.out.Read(out); n != 0 {
		t.Errorf("the program ran: %q", out[:n])
	}
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   unix.WaitStatus
	}{{"exit 0", 0}, {"exit 7", 7 << 8}, {"kill -TERM $$", 15}, {"kill -KILL $$", 9}} {
		c := start(t, nil, "/bin/sh", "-c", tc.script)
		c.release()
		if got := unix.WaitStatus(c.status()); got != tc.want {
			t.Errorf("%s: status %#x, want %#x", tc.script, got, tc.want)
		}
	}
}

func TestCannotExecute(t *testing.T) {
	for path, want := range map[string]syscall.Errno{"/nonexistent": unix.ENOENT, "/etc": unix.EACCES, "/etc/passwd": unix.EACCES} {
		c := start(t, nil, path)
		c.release()
		if got := syscall.Errno(-c.status()); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// TestInitPassesSignalsOn: what is sent to init by kill reaches the program,
// which starts with nothing blocked.
func TestInitPassesSignalsOn(t *testing.T) {
	c := start(t, nil, "/bin/sh", "-c", "trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done")
	c.release()
	out := make([]byte, 16)
	if n, _ := c.out.Read(out); string(out[:n]) != "ready\n" {
		t.Fatalf("output %q", out[:n])
	}
	if err := unix.Kill(c.pid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := unix.WaitStatus(c.status()); got.ExitStatus() != 3 {
		t.Errorf("status %#x", got)
	}
}

// TestInitKeepsEarlySignals: what comes before the program is there reaches it
// too. Nobody else would: of the terminal's own Ctrl-C init has the only copy.
func TestInitKeepsEarlySignals(t *testing.T) {
	for _, tc := range []struct {
		signals []syscall.Signal
		want    syscall.Signal // that ends the program, 0 for none
	}{
		{nil, 0},
		{[]syscall.Signal{unix.SIGINT}, unix.SIGINT},
		{[]syscall.Signal{unix.SIGHUP}, unix.SIGHUP}, // 1
		{[]syscall.Signal{64}, 64},
		{[]syscall.Signal{unix.SIGWINCH, unix.SIGCHLD, unix.SIGQUIT}, unix.SIGQUIT},
		{[]syscall.Signal{unix.SIGCHLD, unix.SIGWINCH}, 0},
	} {
		program := "sleep 0.2"
		if tc.want != 0 {
			program = "sleep 600" // it has to be there when the signal comes
		}
		c := start(t, nil, "/bin/sh", "-c", program)
		for _, sig := range tc.signals {
			if err := unix.Kill(c.pid, sig); err != nil {
				t.Fatal(err)
			}
		}
		c.release()
		got := unix.WaitStatus(c.status())
		if tc.want == 0 && (!got.Exited() || got.ExitStatus() != 0) || tc.want != 0 && got.Signal() != tc.want {
			t.Errorf("%v: status %#x, want signal %d", tc.signals, got, tc.want)
		}
		c.wait()
	}
}

// TestInitKeepsEarlySignalsOfTheKernel: later it leaves these alone, as the
// program has its own copy.
func TestInitKeepsEarlySignalsOfTheKernel(t *testing.T) {
	alarm := func(l *namespace.List) {
		timer := &unix.Itimerval{Value: unix.Timeval{Usec: 1000}}
		l.Call("set an alarm", unix.SYS_SETITIMER, namespace.N(int(unix.ITIMER_REAL)), namespace.Pointer(l, timer), namespace.N(0))
	}
	c := start(t, alarm, "/bin/sh", "-c", "sleep 600")
	for end := time.Now().Add(time.Minute); !pending(t, c.pid, unix.SIGALRM); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the alarm does not come")
		}
	}
	c.release()
	if got := unix.WaitStatus(c.status()); got.Signal() != unix.SIGALRM {
		t.Errorf("status %#x, want that of SIGALRM", got)
	}
}

// pending reports whether a signal waits for a process to take it.
func pending(t *testing.T, pid int, sig syscall.Signal) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if hex, ok := strings.CutPrefix(line, "ShdPnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return set>>(sig-1)&1 == 1
		}
	}
	t.Fatal("no ShdPnd in its status")
	return false
}

// TestInitKeepsSignalsUntilItClones: there is no moment in which a signal that
// init alone gets is lost. The clone is held, and the signal comes meanwhile.
func TestInitKeepsSignalsUntilItClones(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := seccomp.Filter(seccomp.Options{NoSpawn: true})
	if err != nil {
		t.Fatal(err)
	}
	program, err := seccomp.Program(rules)
	if err != nil {
		t.Fatal(err)
	}
	const after, held = 100 * time.Millisecond, 250 * time.Millisecond
	hold := func(l *namespace.List) {
		listener := l.NewSlot()
		l.Call("no_new_privs", unix.SYS_PRCTL, namespace.N(unix.PR_SET_NO_NEW_PRIVS), namespace.N(1), namespace.N(0), namespace.N(0), namespace.N(0))
		l.Call("hold clone", unix.SYS_SECCOMP, namespace.N(unix.SECCOMP_SET_MODE_FILTER), namespace.N(seccomp.Options{NoSpawn: true}.Flags()), namespace.Pointer(l, &program)).Keep(listener)
		l.Send("hand over the listener", pair[1], listener)
		l.Call("close it", unix.SYS_CLOSE, namespace.Result(listener))
		timer := &unix.Itimerval{Value: unix.Timeval{Usec: after.Microseconds()}}
		l.Call("set an alarm", unix.SYS_SETITIMER, namespace.N(int(unix.ITIMER_REAL)), namespace.Pointer(l, timer), namespace.N(0))
	}
	served := make(chan error, 1)
	go func() {
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			served <- err
			return
		}
		messages, _ := unix.ParseSocketControlMessage(oob[:n])
		fds, _ := unix.ParseUnixRights(&messages[0])
		l, err := seccomp.NewListener(fds[0])
		if err != nil {
			served <- err
			return
		}
		err = l.Serve(func(n seccomp.Notification) seccomp.Verdict {
			if n.Call == unix.SYS_CLONE {
				time.Sleep(held)
			}
			return seccomp.Go()
		})
		served <- errors.Join(err, l.Close())
	}()
	c := start(t, hold, "/bin/sleep", "600")
	c.release()
	if got := unix.WaitStatus(c.status()); got.Signal() != unix.SIGALRM {
		t.Errorf("status %#x, want that of SIGALRM", got)
	}
	c.wait()
	if err := <-served; err != nil {
		t.Error(err)
	}
	_, _ = unix.Close(pair[0]), unix.Close(pair[1])
}

// TestInitReaps: a process whose parent died is reaped, and does not end the
// wait for the program.
func TestInitReaps(t *testing.T) {
	sub := func(l *namespace.List) {
		l.Call("be the reaper", unix.SYS_PRCTL, namespace.N(unix.PR_SET_CHILD_SUBREAPER), namespace.N(1))
	}
	c := start(t, sub, "/bin/sh", "-c", `(sh -c 'exit 9' & ) ; for i in $(seq 300); do sleep 0.2; n=$(ps -o stat= --ppid $PPID | grep -c Z); test $n = 0 && break; done; echo $n; exit 4`)
	c.release()
	if got := unix.WaitStatus(c.status()); got.ExitStatus() != 4 {
		t.Errorf("status %#x, want that of the program", got)
	}
	out := make([]byte, 16)
	if n, _ := c.out.Read(out); strings.TrimSpace(string(out[:n])) != "0" {
		t.Errorf("zombies: %q", out[:n])
	}
}

func TestArgumentsAndEnvironment(t *testing.T) {
	c := start(t, nil, "/bin/sh", "-c", `printf '%s|' "$@" "$X" "$(env | wc -l)"`, "sh", "a b", "", "*", "$(id)", "\xff\n", "-x")
	c.release()
	if s := c.status(); s != 0 {
		t.Fatalf("status %d", s)
	}
	out := make([]byte, 256)
	n, _ := c.out.Read(out)
	if got := string(out[:n]); !strings.HasPrefix(got, "a b||*|$(id)|\xff\n|-x|1 2|") {
		t.Errorf("got %q", got)
	}
}

// row starts a row that ends in an executable that is not there: the error says
// which step stopped it.
func row(t *testing.T, build func(*namespace.List)) error {
	t.Helper()
	l := &namespace.List{}
	build(l)
	l.Exec(-1, []string{"none"}, nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, err := l.Start()
	return err
}

// TestRun: a row that stops says so at once, and is over then; so does a clone that is
// refused.
func TestRun(t *testing.T) {
	done := make(chan unix.WaitStatus, 1)
	l := &namespace.List{}
	l.Exec(-1, []string{"none"}, nil)
	if _, err := run(t, l, done); !errors.Is(err, unix.EBADF) {
		t.Errorf("a program that is not there: %v", err)
	}
	if ws := <-done; !ws.Exited() {
		t.Errorf("its process ended by %#x", ws)
	}
	l = &namespace.List{Flags: unix.CLONE_NEWNS | unix.CLONE_FS} // EINVAL, see clone(2)
	l.Exec(-1, []string{"none"}, nil)
	if pid, err := run(t, l, done); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a clone that the kernel refuses: %d, %v", pid, err)
	}
	<-done
}

// TestSteps: each expectation stops the row where it is not met, by name, and
// lets it go on where it is. A row that goes on ends at its missing program.
func TestSteps(t *testing.T) {
	n := func(v int) namespace.Arg { return namespace.N(v) }
	for _, tc := range []struct {
		name  string
		build func(*namespace.List)
		want  string
	}{
		{"succeeds", func(l *namespace.List) { l.Call("a", unix.SYS_GETPID) }, "execute init"},
		{"fails", func(l *namespace.List) { l.Call("a", unix.SYS_CLOSE, n(-1)) }, "a: bad file descriptor"},
		{"may fail", func(l *namespace.List) { l.Call("a", unix.SYS_CLOSE, n(-1)).May() }, "execute init"},
		{"must fail, does", func(l *namespace.List) { l.Call("a", unix.SYS_CLOSE, n(-1)).MustFail(unix.EBADF) }, "execute init"},
		{"must fail, succeeds", func(l *namespace.List) { l.Call("a", unix.SYS_GETPID).MustFail(unix.EPERM) }, "a: it did not do what it must"},
		{"must fail, otherwise", func(l *namespace.List) { l.Call("a", unix.SYS_CLOSE, n(-1)).MustFail(unix.EPERM) }, "a: bad file descriptor"},
		{"must yield, does", func(l *namespace.List) { l.Call("a", unix.SYS_DUP3, n(1), n(99), n(0)).MustYield(99) }, "execute init"},
		{"must yield, otherwise", func(l *namespace.List) { l.Call("a", unix.SYS_DUP3, n(1), n(99), n(0)).MustYield(98) }, "a: it did not do what it must"},
		{"equal", func(l *namespace.List) { l.Equal("a", []byte("same"), []byte("same")) }, "execute init"},
		{"not equal", func(l *namespace.List) { l.Equal("a", []byte("same"), []byte("sane")) }, "a: it did not do what it must"},
		{"no such file", func(l *namespace.List) { l.WriteFile("a", namespace.CWD, "/nonexistent/x", "y") }, "a: no such file or directory"},
		{"kept result", func(l *namespace.List) {
			s := l.NewSlot()
			l.Call("open", unix.SYS_OPENAT, namespace.CWD, l.Str("/"), n(unix.O_PATH)).Keep(s)
			l.Call("use", unix.SYS_FCHDIR, namespace.Result(s))
		}, "execute init"},
	} {
		if err := row(t, tc.build); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

// TestRowReadsBack: what a call writes is seen by later comparisons, which is
// how an object is held to its identity.
func TestRowReadsBack(t *testing.T) {
	var here unix.Stat_t
	if err := unix.Stat("/", &here); err != nil {
		t.Fatal(err)
	}
	check := func(ino uint64) error {
		return row(t, func(l *namespace.List) {
			got, want := &unix.Stat_t{}, &unix.Stat_t{Dev: here.Dev, Ino: ino}
			fd := l.NewSlot()
			l.Call("open", unix.SYS_OPENAT, namespace.CWD, l.Str("/"), namespace.N(unix.O_PATH)).Keep(fd)
			l.Call("stat", unix.SYS_FSTAT, namespace.Result(fd), namespace.Pointer(l, got))
			l.Equal("identity", namespace.Memory(got)[:16], namespace.Memory(want)[:16])
		})
	}
	if err := check(here.Ino); !strings.Contains(err.Error(), "execute init") {
		t.Errorf("the same object: %v", err)
	}
	if err := check(here.Ino + 1); !strings.Contains(err.Error(), "identity") {
		t.Errorf("another object: %v", err)
	}
}

// TestTake: a row goes on with what the one before it has made.
func TestTake(t *testing.T) {
	err := row(t, func(l *namespace.List) {
		second := &namespace.List{}
		other, fd := l.NewSlot(), l.NewSlot()
		l.Call("number", unix.SYS_GETPPID).Keep(other)
		l.Call("open", unix.SYS_OPENAT, namespace.CWD, l.Str("/"), namespace.N(unix.O_PATH)).Keep(fd)
		taken := second.Take(l, fd)
		opened, again := new(uint64), new(uint64)
		l.Store("remember", opened, namespace.Result(fd))
		second.Store("remember", again, namespace.Result(taken))
		second.Equal("the same", namespace.Memory(opened), namespace.Memory(again))
		second.Call("use", unix.SYS_CLOSE, namespace.Result(taken))
		second.Call("use it again", unix.SYS_CLOSE, namespace.Result(taken)).MustFail(unix.EBADF)
		l.Then(second)
	})
	if !strings.Contains(err.Error(), "execute init") {
		t.Error(err)
	}
}

// TestNothingLeft: a row that stops leaves no process and no descriptor.
func TestNothingLeft(t *testing.T) {
	before, _ := os.ReadDir("/proc/self/fd")
	for range 50 {
		err := row(t, func(l *namespace.List) { l.Call("a", unix.SYS_CLOSE, namespace.N(-1)) })
		var step *namespace.StepError
		if !errors.As(err, &step) || !errors.Is(err, unix.EBADF) {
			t.Fatalf("got %v", err)
		}
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == nil && pid > 0 {
		t.Errorf("process %d was left", pid)
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) > len(before) {
		t.Errorf("%d descriptors before, %d after", len(before), len(after))
	}
}

// TestStartWhileCollecting is a hammer: starts while the collector runs all the
// time. Without telling the scheduler that the thread is in a system call, a
// start that needs an answer from a goroutine hangs here.
func TestStartWhileCollecting(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		var waste [][]byte
		for {
			select {
			case <-stop:
				return
			default:
				if waste = append(waste, make([]byte, 1<<12)); len(waste) > 1000 {
					waste = nil
				}
			}
		}
	}()
	// The row writes into a pipe that only a goroutine of ours empties.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	go func() {
		b := make([]byte, 1<<12)
		for {
			if _, err := r.Read(b); err != nil {
				return
			}
		}
	}()
	big := bytes.Repeat([]byte{1}, 1<<18)
	for range 100 {
		err := row(t, func(l *namespace.List) {
			l.Call("fill the pipe", unix.SYS_WRITE, namespace.N(int(w.Fd())), l.Bytes(big), namespace.N(len(big))).MustYield(uintptr(len(big)))
		})
		if err == nil || !strings.Contains(err.Error(), "execute init") {
			t.Fatal(err)
		}
	}
}
