package seccomp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// heldEntry installs the filter, hands its listener over, as a sandbox does,
// and becomes the script that is named in the environment.
func heldEntry(o seccomp.Options, flagged bool) {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	self, err := os.Executable()
	if err != nil {
		fatal(err)
	}
	flags := o.Flags()
	if !flagged {
		flags &^= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	fd, err := installWith(o, flags)
	if err != nil {
		fatal(err)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		fatal(err)
	}
	unix.CloseOnExec(3)
	unix.CloseOnExec(fd)
	fatal(syscall.Exec(self, []string{"script"}, []string{orderVariable + "=", scriptVariable + "=" + os.Getenv(scriptVariable)}))
}

const scriptVariable = "AMBIT_SECCOMP_TEST_SCRIPT"

// scripts run in a process whose every thread is under the filter.
var scripts = map[string]func(){
	"open": func() {
		for _, p := range []string{"/held/go", "/held/refuse", "/held/zero", "/held/later"} {
			tell(p, opening(p))
		}
	},
	"spawn": func() {
		var threads sync.WaitGroup
		for range 8 { // more threads than there were
			threads.Go(func() { runtime.LockOSThread(); time.Sleep(20 * time.Millisecond) })
		}
		threads.Wait()
		tell("threads", nil)
		tell("spawn", exec.Command("/bin/true").Run())
	},
	"signals": func() {
		alarms := make(chan os.Signal, 1)
		signal.Notify(alarms, unix.SIGALRM)
		runtime.LockOSThread()
		self := unix.Gettid()
		go func() {
			for range time.Tick(2 * time.Millisecond) {
				if err := unix.Tgkill(os.Getpid(), self, unix.SIGALRM); err != nil {
					panic(err)
				}
			}
		}()
		for range 20 {
			if err := opening("/held/slow"); !errors.Is(err, unix.ENOENT) {
				tell("slow", err)
				return
			}
		}
		tell("slow", nil)
	},
	"connect": func() {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: "/held/socket"})
		}
		tell("connect", err)
	},
	"sendto": func() {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err != nil {
			panic(err)
		}
		tell("without address", unix.Send(fds[0], []byte("x"), 0))
		tell("with address", unix.Sendto(fds[0], []byte("x"), 0, &unix.SockaddrUnix{Name: "/held/socket"}))
	},
	"sleep": func() { time.Sleep(time.Hour) },
}

func opening(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// start runs a script under a filter and returns its listener, and its output
// as it comes.
func start(t *testing.T, o seccomp.Options, script string, flagged bool) (*seccomp.Listener, *exec.Cmd, *bufio.Reader) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "listener")
	defer theirs.Close()
	defer unix.Close(pair[0])
	cmd := child(t, order{Child: "held", Options: o, Filtered: flagged})
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	cmd.Env = append(cmd.Env, scriptVariable+"="+script)
	cmd.ExtraFiles = []*os.File{theirs}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	// It is reaped as it ends: older kernels keep a filter for a process that is
	// not. Its output stays to be read.
	reaped := make(chan struct{})
	go func() {
		_, _ = cmd.Process.Wait()
		close(reaped)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-reaped; _ = out.Close() })
	control := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		<-reaped
		t.Fatalf("no listener: %v\n%s", err, cmd.Stderr)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	l, err := seccomp.NewListener(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, cmd, bufio.NewReader(out)
}

// finish serves until all that was held is gone, and returns what the script
// printed.
func finish(t *testing.T, l *seccomp.Listener, out io.Reader, handle func(seccomp.Notification) seccomp.Verdict) map[string]string {
	t.Helper()
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(out)
		text <- string(all)
	}()
	if err := l.Serve(handle); err != nil {
		t.Errorf("Serve ended with %v, want nil at the end of the last process", err)
	}
	results := map[string]string{}
	for line := range strings.Lines(<-text) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		results[name] = result
	}
	return results
}

// path reads what a held call names; every script names things below /held.
func path(n seccomp.Notification) string {
	arg := map[int]int{unix.SYS_OPENAT: 1, unix.SYS_EXECVE: 0}[n.Call]
	p, err := seccomp.ReadPath(n.PID, n.Args[arg])
	if err != nil {
		return err.Error()
	}
	return string(p)
}

func TestServe(t *testing.T) {
	l, _, out := start(t, seccomp.Options{HoldOpen: true}, "open", true)
	var execs int
	var answers sync.WaitGroup
	got := finish(t, l, out, func(n seccomp.Notification) seccomp.Verdict {
		if n.Call == unix.SYS_EXECVE {
			execs++
			// SIGURG is the Go runtime's own, with which it interrupts threads.
			if mask := signalMask(t); !blocks(mask, unix.SIGURG) || !blocks(mask, unix.SIGTERM) {
				t.Errorf("the serving thread blocks only %#x", mask.Val)
			}
		}
		switch path(n) {
		case "/held/refuse":
			return seccomp.Refuse(unix.EHOSTDOWN)
		case "/held/zero":
			return seccomp.Refuse(0)
		case "/held/later":
			answers.Go(func() {
				time.Sleep(30 * time.Millisecond)
				if !l.Valid(n.ID) {
					t.Error("a call that is held is not valid")
				}
				if err := l.Deny(n.ID, unix.EXDEV); err != nil {
					t.Error(err)
				}
				if err := l.Deny(n.ID, unix.EXDEV); !errors.Is(err, seccomp.ErrGone) {
					t.Errorf("second answer: %v, want ErrGone", err)
				}
			})
			return seccomp.Later()
		}
		return seccomp.Go()
	})
	answers.Wait()
	for p, want := range map[string]string{"/held/go": "ENOENT", "/held/refuse": "EHOSTDOWN", "/held/zero": "EPERM", "/held/later": "EXDEV"} {
		if got[p] != want {
			t.Errorf("%s: %s, want %s", p, got[p], want)
		}
	}
	if execs != 1 {
		t.Errorf("%d execve were held, want the one of the program itself", execs)
	}
}

func TestZeroVerdictRefuses(t *testing.T) {
	if (seccomp.Verdict{}) != seccomp.Refuse(0) {
		t.Error("the zero Verdict is not a refusal")
	}
}

// TestNoSpawn lets the program itself start, with all threads that it likes,
// and nothing else.
func TestNoSpawn(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		l, _, out := start(t, seccomp.Options{NoSpawn: true}, "spawn", true)
		calls := map[int]int{}
		got := finish(t, l, out, func(n seccomp.Notification) seccomp.Verdict {
			calls[n.Call]++
			if refuse && n.Call == unix.SYS_CLONE {
				return seccomp.Refuse(unix.EPERM)
			}
			return seccomp.Go()
		})
		want := map[bool]string{false: "ok", true: "EPERM"}[refuse]
		if got["threads"] != "ok" || got["spawn"] != want {
			t.Errorf("refused %v: threads %q, spawn %q, want ok, %s", refuse, got["threads"], got["spawn"], want)
		}
		if calls[unix.SYS_CLONE] == 0 || !refuse && calls[unix.SYS_EXECVE] != 2 || refuse && calls[unix.SYS_EXECVE] != 1 {
			t.Errorf("refused %v: held %v", refuse, calls)
		}
	}
}

// TestSignals holds calls for longer than it takes until the next signal: with the
// listener's flags each is held once; without, it comes again and again.
func TestSignals(t *testing.T) {
	held := func(flagged bool, hold time.Duration) (int64, map[string]string) {
		l, _, out := start(t, seccomp.Options{HoldOpen: true}, "signals", flagged)
		var slow atomic.Int64
		got := finish(t, l, out, func(n seccomp.Notification) seccomp.Verdict {
			if path(n) != "/held/slow" {
				return seccomp.Go()
			}
			// Without the flags no answer that takes longer ever arrives.
			if slow.Add(1) > 200 {
				return seccomp.Go()
			}
			time.AfterFunc(hold, func() { _ = l.Continue(n.ID) })
			return seccomp.Later()
		})
		return slow.Load(), got
	}
	if n, got := held(true, 9*time.Millisecond); n > 22 || got["slow"] != "ok" {
		t.Errorf("20 calls were held %d times: %v", n, got)
	}
	if n, got := held(false, 100*time.Millisecond); n < 40 {
		t.Errorf("control: without the flags 20 calls were held only %d times: %v", n, got)
	}
}

// TestCallerDies kills a process whose call is held.
func TestCallerDies(t *testing.T) {
	l, cmd, out := start(t, seccomp.Options{HoldConnect: true}, "connect", true)
	finish(t, l, out, func(n seccomp.Notification) seccomp.Verdict {
		address, err := seccomp.ReadBytes(n.PID, n.Args[1], int(n.Args[2]))
		if err != nil || !strings.HasPrefix(string(address[2:]), "/held/socket") {
			t.Errorf("address %q, %v", address, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if l.Valid(n.ID) {
			t.Error("the call of a process that is gone is valid")
		}
		if err := l.Continue(n.ID); !errors.Is(err, seccomp.ErrGone) {
			t.Errorf("answered with %v, want ErrGone", err)
		}
		return seccomp.Later()
	})
}

func TestHoldSendto(t *testing.T) {
	l, _, out := start(t, seccomp.Options{HoldSendto: true}, "sendto", true)
	held := 0
	got := finish(t, l, out, func(n seccomp.Notification) seccomp.Verdict {
		held++
		return seccomp.Refuse(unix.EHOSTDOWN)
	})
	if held != 1 || got["without address"] != "ok" || got["with address"] != "EHOSTDOWN" {
		t.Errorf("held %d: %v", held, got)
	}
}

// TestClose closes while a call is held: Serve ends, and the call fails.
func TestClose(t *testing.T) {
	l, _, out := start(t, seccomp.Options{HoldConnect: true}, "connect", true)
	held := make(chan uint64, 1)
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(func(n seccomp.Notification) seccomp.Verdict {
			held <- n.ID
			return seccomp.Later()
		})
	}()
	id := <-held
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, seccomp.ErrClosed) {
		t.Errorf("Serve ended with %v, want ErrClosed", err)
	}
	if line, _ := out.ReadString('\n'); line != "connect: ENOSYS\n" {
		t.Errorf("got %q, want ENOSYS", line)
	}
	if err := l.Continue(id); !errors.Is(err, seccomp.ErrClosed) {
		t.Errorf("an answer after Close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if l.Valid(id) {
		t.Error("a call is valid after Close")
	}
	if err := l.Serve(nil); !errors.Is(err, seccomp.ErrClosed) {
		t.Errorf("Serve after Close: %v", err)
	}
}

// TestServeIdle: until a call is held no thread waits for one, and Close ends the wait.
func TestServeIdle(t *testing.T) {
	l, _, _ := start(t, seccomp.Options{HoldConnect: true}, "sleep", true)
	served := make(chan error, 1)
	go func() { served <- l.Serve(nil) }()
	waits := regexp.MustCompile(`(?m)^goroutine \d+ .*\[IO wait\]:\n(.+\n)*.*seccomp\.\(\*Listener\)\.idle`) // a thread of its own would be named
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(time.Minute); !waits.Match(stacks[:runtime.Stack(stacks, true)]); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("Serve does not wait without a thread:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, seccomp.ErrClosed) {
		t.Errorf("Serve ended with %v, want ErrClosed", err)
	}
}

// TestServeRestoresThread checks that a goroutine that served can go on with
// signals as before.
func TestServeRestoresThread(t *testing.T) {
	l, _, out := start(t, seccomp.Options{HoldConnect: true}, "connect", true)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := signalMask(t)
	finish(t, l, out, func(seccomp.Notification) seccomp.Verdict {
		if !blocks(signalMask(t), unix.SIGURG) {
			t.Error("a call is answered on a thread that takes signals")
		}
		return seccomp.Go()
	})
	if after := signalMask(t); after != before {
		t.Errorf("signal mask %v, was %v", after, before)
	}
}

func signalMask(t *testing.T) (m unix.Sigset_t) {
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &m); err != nil {
		t.Error(err)
	}
	return m
}

func blocks(m unix.Sigset_t, s syscall.Signal) bool { return m.Val[0]>>(s-1)&1 == 1 }
