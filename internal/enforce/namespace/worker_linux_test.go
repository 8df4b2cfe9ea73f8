package namespace_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/namespace"
)

// closing is a first row that leaves everything but the line.
func closing() *namespace.List {
	l := &namespace.List{Flags: unix.CLONE_NEWUTS}
	if os.Getuid() != 0 {
		l.Flags |= unix.CLONE_NEWUSER
	}
	l.Call("close the rest", unix.SYS_CLOSE_RANGE, namespace.N(namespace.WorkerLine+1), namespace.N(uint64(^uint32(0))), namespace.N(0))
	return l
}

func TestWorker(t *testing.T) {
	first := closing()
	first.Call("set the host name", unix.SYS_SETHOSTNAME, first.Str("inside"), namespace.N(6))
	w, err := namespace.StartWorker(first)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 200 { // collections meanwhile must not take what the rows point to
		got := &unix.Utsname{}
		l := &namespace.List{}
		l.Call("ask for the host name", unix.SYS_UNAME, namespace.Pointer(l, got))
		runtime.GC()
		if err := w.Do(l); err != nil {
			t.Fatal(err)
		}
		if name := unix.ByteSliceToString(got.Nodename[:]); name != "inside" {
			t.Fatalf("the worker's host name is %q", name)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Do(&namespace.List{}); err == nil {
		t.Error("a closed worker works")
	}
}

// TestWorkerGoesOn: a row that fails says where, its later steps are not done,
// and the next row is.
func TestWorkerGoesOn(t *testing.T) {
	w, err := namespace.StartWorker(closing())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	bad := &namespace.List{}
	name := &unix.Utsname{}
	bad.Call("do what cannot be", unix.SYS_CLOSE, namespace.N(777))
	bad.Call("ask for the host name", unix.SYS_UNAME, namespace.Pointer(bad, name))
	err = w.Do(bad)
	if step := (*namespace.StepError)(nil); !errors.As(err, &step) || step.What != "do what cannot be" || !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v, want the failing step with EBADF", err)
	}
	if name.Nodename[0] != 0 {
		t.Error("a step behind the failing one was done")
	}
	good := &namespace.List{}
	good.Call("ask for the host name", unix.SYS_UNAME, namespace.Pointer(good, name))
	if err := w.Do(good); err != nil || name.Nodename[0] == 0 {
		t.Errorf("after a failure: %v", err)
	}
}

// TestWorkerRefused: one that cannot begin says so, and is gone.
func TestWorkerRefused(t *testing.T) {
	first := closing()
	first.Call("do what cannot be", unix.SYS_CLOSE, namespace.N(777))
	if _, err := namespace.StartWorker(first); err == nil || !strings.Contains(err.Error(), "do what cannot be") {
		t.Errorf("got %v, want the step that failed", err)
	}
}

// TestStops holds that a process that has a worker can be stopped, as a shell does by
// Ctrl-Z, and that the thread that waits for the worker does not count as busy.
func TestStops(t *testing.T) {
	const mark = "AMBIT_TEST_HAS_WORKER"
	if os.Getenv(mark) != "" {
		w, err := namespace.StartWorker(closing())
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the other end is closed
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestStops$")
	cmd.Env = append(os.Environ(), mark+"=1")
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = hold.Close()
		_ = cmd.Process.Signal(unix.SIGCONT)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}()
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var status unix.WaitStatus
		if pid, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED|unix.WNOHANG, nil); pid != 0 {
			if err != nil || !status.Stopped() {
				t.Fatalf("waited for it: %v, %#x", err, status)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not stop: %s", states(t, cmd.Process.Pid))
		}
	}
}

// states are those of the threads of a process, one letter each.
func states(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, _ := os.ReadFile(f) // a thread may end
		if _, rest, ok := strings.Cut(string(text), ") "); ok {
			all.WriteString(rest[:1])
		}
	}
	return all.String()
}
