package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
)

const lateChild = "AMBIT_EGRESS_TEST_LATE"

// TestLate: the timers of threads that there are, and of those that are made later, are
// late. They stay so, so it is tried in a copy.
func TestLate(t *testing.T) {
	if os.Getenv(lateChild) != "" {
		err := companion.Late()
		fmt.Println("late by", slack(), err)
		done := make(chan int)
		go func() {
			runtime.LockOSThread()
			done <- slack()
		}()
		fmt.Println("and by", <-done)
		return
	}
	requirePlain(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestLate$", "-test.v")
	cmd.Env = append(os.Environ(), lateChild+"=1")
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "late by 5000000 <nil>\nand by 5000000\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if slack() == 5e6 {
		t.Error("they are late without it")
	}
}

// slack is how late timers of this thread may be, in nanoseconds.
func slack() int {
	n, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0) // it never fails
	return n
}
