package entry_test

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpared holds that nothing is opened before the first package is initialised: each
// call that opens a file until then fails, and there is one.
func TestSpared(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), build(t, atEntry), "child")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	runtime.LockOSThread() // the one that traces
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); errors.Is(err, unix.EPERM) {
		t.Skip("requires: tracing one's own child")
	} else if err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() // it may have ended
	pid, tried, limits := cmd.Process.Pid, 0, 0
	stopped(t, pid) // where it was executed
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD); err != nil {
		t.Fatal(err)
	}
	for limits < 3 { // read, lowered, restored
		call(t, pid) // it begins
		switch regs := call(t, pid); regs.Orig_rax {
		case unix.SYS_PRLIMIT64:
			limits++
		case unix.SYS_OPEN, unix.SYS_OPENAT, unix.SYS_OPENAT2:
			tried++
			if err := syscall.Errno(-int64(regs.Rax)); err != unix.EMFILE {
				t.Errorf("a file was opened, or not for the limit: %v", err)
			}
		}
	}
	if tried == 0 {
		t.Error("the runtime opens nothing; this is of no use any more")
	}
}

// call goes on to where a system call begins or ends.
func call(t *testing.T, pid int) (regs unix.PtraceRegs) {
	const atCall = unix.SIGTRAP | 0x80
	for sig := syscall.Signal(0); ; {
		if sig == unix.SIGTRAP {
			sig = 0 // ours
		}
		if err := unix.PtraceSyscall(pid, int(sig)); err != nil {
			t.Fatal(err)
		}
		if sig = stopped(t, pid); sig == atCall {
			break
		}
	}
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		t.Fatal(err)
	}
	return regs
}

// stopped waits until the program stands still, and says why.
func stopped(t *testing.T, pid int) syscall.Signal {
	for {
		var status unix.WaitStatus
		switch _, err := unix.Wait4(pid, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil || !status.Stopped():
			t.Fatalf("it ended: %#x %v", status, err)
		default:
			return status.StopSignal()
		}
	}
}
