package checks

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted: whenever an interrupt comes, while the sandbox is made or when
// its program runs, nothing of it is left: no process, and no control group with
// one. A small part of a processor has the making take its time.
func TestInterrupted(t *testing.T) {
	for range 10 {
		after := rand.N(1500 * time.Millisecond)
		cmd := exec.CommandContext(t.Context(), os.Getenv("AMBIT_BIN"), "run", "--ask", "none", "--limit", "cpu=0.05", "--", "sh", "-c", "while :; do :; done")
		cmd.Env = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir())
		var said strings.Builder
		cmd.Stderr = &said
		group := scope(t)
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			left := processesOf(t)
			if len(left) == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("interrupted after %s it ended with %v, said %q, and left %q", after, err, said.String(), left)
			}
		}
		for _, left := range sessions(t) {
			t.Logf("interrupted after %s it ended with %v, said %q, and left the empty group %q", after, err, said.String(), left)
			removeAll(t, left)
		}
	}
}

// processesOf are those in control groups of sandboxes, with what they are.
func processesOf(t *testing.T) (found []string) {
	t.Helper()
	for _, group := range sessions(t) {
		pids, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		if err != nil {
			continue // it is gone
		}
		for pid := range strings.FieldsSeq(string(pids)) {
			status, _ := os.ReadFile(filepath.Join("/proc", pid, "status")) // so may it be
			found = append(found, group+": "+string(status))
		}
	}
	return found
}
