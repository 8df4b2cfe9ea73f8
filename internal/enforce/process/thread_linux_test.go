package process_test

import (
	"bufio"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
)

// TestThreadsEnd: however many threads of the launcher end, the sandbox lives, though the
// kernel kills it with the one that cloned.
func TestThreadsEnd(t *testing.T) {
	in := aheadInput(t, t.TempDir(), "echo ready; read line; echo $line")
	plan, err := enforce.Compile(in, facts(t))
	if err != nil {
		t.Fatal(err)
	}
	stdin, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	hear, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hear.Close()
	inside, err := process.Tier{}.Start(t.Context(), plan, enforce.Stdio{In: stdin, Out: stdout, Err: stdout})
	if err != nil {
		t.Fatal(err)
	}
	_ = stdout.Close()
	if err := inside.Release(); err != nil {
		t.Error(err)
	}
	said := bufio.NewReader(hear)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Errorf("it says %q, %v", line, err)
	}
	var ended sync.WaitGroup
	all := make(chan struct{})
	for range 50 { // at once, so that each takes another thread of those that there are
		ended.Go(func() {
			runtime.LockOSThread() // and so the thread ends with it
			<-all
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		})
	}
	close(all)
	ended.Wait()
	if _, err := say.WriteString("lives\n"); err != nil {
		t.Error(err)
	}
	_ = say.Close()
	if line, err := said.ReadString('\n'); line != "lives\n" {
		t.Errorf("it says %q, %v", line, err)
	}
	if r, err := inside.Wait(); err != nil || r.Signal != 0 || r.Exit != 0 {
		t.Errorf("ended by %+v, %v", r, err)
	}
}
