package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP18Personality(t *testing.T) {
	no := refused(unix.EPERM)
	attack{
		ID: "P18", Title: "weaken the address space, or reach ports and segments",
		Reference: "docker's default seccomp profile; READ_IMPLIES_EXEC",
		Tiers:     process,
		Tries: []try{
			{Name: "READ_IMPLIES_EXEC", Do: func(*field) error { return forked(0, sys(unix.SYS_PERSONALITY, 0x0400000)) }, Want: no},
			{Name: "MMAP_PAGE_ZERO", Do: func(*field) error { return forked(0, sys(unix.SYS_PERSONALITY, 0x0100000)) }, Want: no},
			{Name: "no randomisation", Do: func(*field) error { return forked(0, sys(unix.SYS_PERSONALITY, 0x0040000)) }, Want: allowed("debuggers and sanitizers need it")},
			{Name: "modify_ldt", Do: func(*field) error {
				_, err := raw(unix.SYS_MODIFY_LDT, 0, address(&[64]byte{}), 64)
				return err
			}, Want: no},
			{Name: "iopl", NoControl: "not in every kernel", Do: func(*field) error { return forked(0, sys(unix.SYS_IOPL, 0)) }, Want: no},
			{Name: "ioperm", NoControl: "not in every kernel", Do: func(*field) error { return forked(0, sys(unix.SYS_IOPERM, 0, 1, 0)) }, Want: no},
		},
	}.run(t)
}
