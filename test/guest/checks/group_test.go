package checks

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signals sends a signal to the own process group and survives it.
const signals = "import os, signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN); os.kill(0, signal.SIGUSR1)"

// TestOwnGroup: a sandbox is in the process group of who started it. A signal to
// that does not leave it, also where Landlock has no scope for signals. Outside
// it ends whoever else is in there.
func TestOwnGroup(t *testing.T) {
	for _, c := range []struct {
		name   string
		argv   []string
		killed bool
	}{
		{"control", []string{"/usr/bin/python3", "-c", signals}, true},
		{"inside", []string{os.Getenv("AMBIT_BIN"), "run", "--ask", "none", "--", "/usr/bin/python3", "-c", signals}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			victim := exec.CommandContext(t.Context(), "sleep", "1000")
			victim.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := victim.Start(); err != nil {
				t.Fatal(err)
			}
			attacker := exec.CommandContext(t.Context(), c.argv[0], c.argv[1:]...)
			attacker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: victim.Process.Pid}
			attacker.Env = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir())
			out, err := attacker.CombinedOutput()
			t.Logf("%v: %s", err, out)
			if killed := ended(t, victim.Process.Pid, c.killed); killed != c.killed {
				t.Errorf("a process of the host in the group was killed: %v, want %v", killed, c.killed)
			}
			_ = victim.Process.Kill()
			_ = victim.Wait()
		})
	}
}

// ended reports whether a child that nobody has waited for has ended. A signal
// has reached it by now; to end takes a moment, and longer where that is expected.
func ended(t *testing.T, pid int, expected bool) bool {
	t.Helper()
	for i := range 6000 {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), ") Z ") {
			return true
		}
		if !expected && i > 30 {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
