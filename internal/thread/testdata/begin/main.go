// Command begin is a program that begins at entry.Entry. It says in one line how
// late its timers may be, now and before, in a thread made later, and in programs
// that it starts with Exactly and without; and all of that again behind Exact.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

func main() {
	if os.Args[len(os.Args)-1] == "child" {
		fmt.Print(slack()) //nolint:forbidigo // that is what it is for
		return
	}
	say()
	thread.Exact()
	say()
}

func say() {
	fmt.Println(slack(), thread.Before(), elsewhere(), child(thread.Exactly), child(func(do func() error) error { return do() })) //nolint:forbidigo // that is what it is for
}

func slack() int {
	n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		panic(err)
	}
	return n
}

// elsewhere is the slack of another thread than this one.
func elsewhere() int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := make(chan int)
	go func() { c <- slack() }()
	return <-c
}

// child is the slack of a program that is started.
func child(start func(func() error) error) string {
	runtime.LockOSThread() // else it is started by any thread
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := exec.Command("/proc/self/exe", "x", "child") //nolint:noctx // it ends at once
	cmd.Stdout = &out
	if err := start(cmd.Start); err != nil {
		panic(err)
	}
	if err := cmd.Wait(); err != nil {
		panic(err)
	}
	return out.String()
}
