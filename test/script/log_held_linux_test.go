package script_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestLogHeld: a launcher that has to wait for the log says who holds it, and goes
// on when that lets go.
func TestLogHeld(t *testing.T) {
	b := newBench(t)
	b.run("run", "--", "true").want(t, 0)
	f, err := os.Open(filepath.Join(filepath.Dir(b.home), "state", "audit", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := b.command("run", "--", "echo", "began")
	cmd.Stdout = &out
	says, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(says).ReadString('\n')
	if want := "ambit: waiting for the audit log: process " + strconv.Itoa(os.Getpid()) + " ("; err != nil || !strings.HasPrefix(line, want) {
		t.Errorf("it says %q, %v; want %q", line, err, want)
	}
	f.Close()
	if err := cmd.Wait(); err != nil || out.String() != "began\n" {
		t.Errorf("%v, output %q", err, out.String())
	}
}
