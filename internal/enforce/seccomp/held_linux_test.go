package seccomp_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// TestHeld: changes and executions wait, and all other known calls go on, also those that
// the filter of a sandbox refuses.
func TestHeld(t *testing.T) {
	program, err := seccomp.Held()
	if err != nil {
		t.Fatal(err)
	}
	m, audit := newMachine(t, program), nativeAudit(t)
	const wait, pass = unix.SECCOMP_RET_USER_NOTIF, unix.SECCOMP_RET_ALLOW
	for _, c := range []struct {
		call int
		args [6]uint64
		want uint32
	}{
		{unix.SYS_OPENAT, [6]uint64{2: unix.O_RDONLY}, pass},
		{unix.SYS_OPENAT, [6]uint64{2: unix.O_WRONLY}, wait},
		{unix.SYS_OPENAT, [6]uint64{2: unix.O_CREAT}, wait},
		{unix.SYS_MKDIRAT, [6]uint64{}, wait},
		{unix.SYS_RENAMEAT2, [6]uint64{}, wait},
		{unix.SYS_UNLINKAT, [6]uint64{}, wait},
		{unix.SYS_EXECVE, [6]uint64{}, wait},
		{unix.SYS_EXECVEAT, [6]uint64{4: unix.AT_EMPTY_PATH}, pass},
		{unix.SYS_FACCESSAT, [6]uint64{2: unix.W_OK}, pass},
		{unix.SYS_CLONE, [6]uint64{}, pass},
		{unix.SYS_BPF, [6]uint64{}, pass},
		{unix.SYS_IO_URING_SETUP, [6]uint64{}, pass},
		{unix.SYS_MOUNT, [6]uint64{}, pass},
	} {
		if got := m.run(t, audit, uint32(c.call), c.args); got != c.want {
			t.Errorf("%s %v: %#x, want %#x", seccomp.Name(c.call), c.args, got, c.want)
		}
	}
}

func nativeAudit(t *testing.T) uint32 {
	t.Helper()
	switch unix.SYS_EXECVE {
	case 59:
		return unix.AUDIT_ARCH_X86_64
	case 221:
		return unix.AUDIT_ARCH_AARCH64
	}
	t.Fatal("this architecture is not known")
	return 0
}
