//go:build amd64

// The list of calls of another architecture is another one.

package escape_test

import (
	"encoding/json"
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
	got, waited := f.callsThatPass(t, nil, 50*time.Millisecond)
	got = append(got, waited...)
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	// A call that this kernel does not have, or that it refuses this user, is no fault.
	known := strings.Fields(string(text))
	new := slices.DeleteFunc(got, func(nr string) bool { return slices.Contains(known, nr) })
	// One that was ended before it had begun looks like one that waits.
	if slices.ContainsFunc(new, func(nr string) bool { return slices.Contains(waited, nr) }) {
		passed, waiting := f.callsThatPass(t, new, longest/2)
		new = append(passed, waiting...) // of no more than these
	}
	for _, nr := range new {
		t.Errorf("P23: call %s passes and is not in %s", nr, golden)
	}
	f.nothingLeft(t)
}

// callsThatPass are those of the calls, or of all, that do not fail by EPERM or
// ENOSYS inside, and those that did not return in time.
func (f *field) callsThatPass(t *testing.T, some []string, within time.Duration) (passed, waited []string) {
	t.Helper()
	f.Values["calls"], f.Values["within"] = strings.Join(some, " "), within.String()
	out, err := f.box(t, f.words(t, try{})...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, got, found := strings.Cut(string(out), "calls:\n")
	if !found {
		t.Fatalf("it said %s", out)
	}
	for line := range strings.Lines(got) {
		if nr, ok := strings.CutSuffix(strings.TrimSpace(line), " waits"); ok {
			waited = append(waited, nr)
		} else if nr != "" {
			passed = append(passed, nr)
		}
	}
	return passed, waited
}

// everyCall tries each number with harmless arguments in a process of its own,
// and says which do not fail by EPERM or ENOSYS.
func everyCall() {
	var f field
	if err := json.Unmarshal([]byte(attempting[2]), &f); err != nil {
		panic(err)
	}
	within, err := time.ParseDuration(f.Values["within"])
	if err != nil {
		panic(err)
	}
	some := strings.Fields(f.Values["calls"])
	var passed []string
	for nr := range uintptr(1024) {
		if untried[nr] != "" || len(some) > 0 && !slices.Contains(some, fmt.Sprint(nr)) {
			continue
		}
		if said, passes := tryCall(nr, within); passes {
			passed = append(passed, fmt.Sprint(nr)+said)
		}
	}
	fmt.Printf("calls:\n%s\n", strings.Join(passed, "\n"))
	os.Exit(0)
}

// tryCall makes one call in two ways, and says whether it was ended in each that
// did not fail.
func tryCall(nr uintptr, within time.Duration) (said string, passes bool) {
	// -1 is no descriptor, no pointer, no process and no known flag; 0 is no
	// mode with bits that are refused.
	bad := ^uintptr(0)
	for _, c := range []call{sys(nr, bad, bad, bad, bad, bad, bad), sys(nr)} {
		switch err := forkedWithin(c, within); {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		case errors.Is(err, unix.EIO):
			said, passes = " waits", true
		default:
			return "", true
		}
	}
	return said, passes
}

// forkedWithin is forked with a timer: some calls wait.
func forkedWithin(c call, within time.Duration) error {
	tick := unix.MakeItimerval(0, within)
	return forked(0, sys(unix.SYS_SETITIMER, uintptr(unix.ITIMER_REAL), address(&tick), 0), c)
}
