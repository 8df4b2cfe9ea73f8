//go:build amd64

// The list of calls of another architecture is another one.

package escape_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden list of calls anew")

// untried are numbers that cannot be tried blindly, with the reason.
var untried = map[uintptr]string{
	unix.SYS_EXIT: "it ends", unix.SYS_EXIT_GROUP: "it ends", unix.SYS_RT_SIGRETURN: "it has no frame to return to",
	unix.SYS_PAUSE: "it waits", unix.SYS_RT_SIGSUSPEND: "it waits", unix.SYS_RT_SIGTIMEDWAIT: "it waits",
	unix.SYS_KILL: "it would signal everybody inside", unix.SYS_TKILL: "the same", unix.SYS_TGKILL: "the same",
	unix.SYS_VFORK: "it has the caller's stack", unix.SYS_FORK: "it would go on twice", unix.SYS_CLONE: "the same",
	unix.SYS_MUNMAP: "it would take its memory away", unix.SYS_BRK: "the same", unix.SYS_ARCH_PRCTL: "it would lose its thread pointer",
	unix.SYS_SET_TID_ADDRESS: "it writes at its end", unix.SYS_SET_ROBUST_LIST: "the same",
	334: "rseq, whose area is written on every switch",
}

// TestP23EveryCall compares the calls that a program can make with a list that
// somebody looked at.
func TestP23EveryCall(t *testing.T) {
	if attempting != nil {
		everyCall()
	}
	t.Parallel()
	const golden = "testdata/calls_amd64.txt"
	f := newField(t)
	// A file of its own as standard input: fchmod is among the calls.
	in, err := os.Open(f.work("file"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f.stdin = in
	out, err := f.box(t, f.words(t, try{})...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, got, found := strings.Cut(string(out), "calls:\n")
	if !found {
		t.Fatalf("it said %s", out)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	// A call that this kernel does not have, or that it refuses this user, is no fault.
	known := strings.Fields(string(text))
	for nr := range strings.FieldsSeq(got) {
		if !slices.Contains(known, nr) {
			t.Errorf("P23: call %s passes and is not in %s", nr, golden)
		}
	}
	f.nothingLeft(t)
}

// everyCall tries each number with harmless arguments in a process of its own,
// and says which do not fail by EPERM or ENOSYS.
func everyCall() {
	var passed []string
	for nr := range uintptr(1024) {
		if untried[nr] != "" {
			continue
		}
		// -1 is no descriptor, no pointer, no process and no known flag; 0 is no
		// mode with bits that are refused.
		bad := ^uintptr(0)
		for _, err := range []error{forkedWithin(sys(nr, bad, bad, bad, bad, bad, bad)), forkedWithin(sys(nr))} {
			if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
				passed = append(passed, fmt.Sprint(nr))
				break
			}
		}
	}
	fmt.Printf("calls:\n%s\n", strings.Join(passed, "\n"))
	os.Exit(0)
}

// forkedWithin is forked with a timer: some calls wait.
func forkedWithin(c call) error {
	tick := unix.MakeItimerval(0, 50*time.Millisecond)
	return forked(0, sys(unix.SYS_SETITIMER, uintptr(unix.ITIMER_REAL), address(&tick), 0), c)
}
