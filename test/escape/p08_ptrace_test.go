package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP08Ptrace(t *testing.T) {
	no := refused(unix.EPERM, unix.ESRCH)
	trace := func(request uintptr, pid func(f *field) int) func(f *field) error {
		return func(f *field) error {
			if _, err := raw(unix.SYS_PTRACE, request, uintptr(pid(f)), 0, 0); err != nil {
				return err
			}
			_ = unix.PtraceDetach(pid(f)) // it ends with us
			return nil
		}
	}
	victim := func(f *field) int { return f.number("pid") }
	attack{
		ID: "P8", Title: "trace another process",
		Reference: "injection into a process of the same user; CVE-2019-13272",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.victim(t) },
		Harm:      func(f *field) string { return dead(f) },
		Tries: []try{
			{Name: "seize a process of the host", Harmless: true, Do: trace(unix.PTRACE_SEIZE, victim), Want: no},
			{Name: "attach to it", Harmless: true, Do: trace(unix.PTRACE_ATTACH, victim), Want: no},
			{Name: "seize the parent", NoControl: "the parent runs this test", Do: trace(unix.PTRACE_SEIZE, func(*field) int { return os.Getppid() }), Want: no},
			{Name: "be traced", NoControl: "it would stop", Do: trace(unix.PTRACE_TRACEME, victim), Want: no},
		},
	}.run(t)
}
