package namespace_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

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
