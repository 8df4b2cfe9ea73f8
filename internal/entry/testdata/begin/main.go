// Command begin says how many files it may have open, and how many a program that it
// starts, which also says whether allocations were remembered.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"ambit.dev/ambit/internal/entry"
)

func main() {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		panic(err)
	}
	fmt.Println(l.Cur, l.Max, entry.Slack()) //nolint:forbidigo // that is what it is for
	if len(os.Args) > 1 {
		runtime.GC() // twice, then what was remembered can be seen
		runtime.GC()
		n, _ := runtime.MemProfile(nil, true)
		fmt.Println("profile", n > 0, runtime.MemProfileRate) //nolint:forbidigo // likewise
		return
	}
	cmd := exec.Command("/proc/self/exe", "child") //nolint:noctx // it ends at once
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		panic(err)
	}
}
