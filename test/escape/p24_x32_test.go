package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP24X32(t *testing.T) {
	const x32 = 0x40000000
	try32 := func(nr uintptr, args ...uintptr) func(*field) error {
		return func(*field) error { _, err := raw(nr|x32, args...); return err }
	}
	none := "most kernels are built without the x32 ABI"
	attack{
		ID: "P24", Title: "the x32 numbers of calls, which a filter may not know",
		Reference: "docker and flatpak filters before 2020; seccomp(2), on X32_SYSCALL_BIT",
		Tiers:     process,
		Tries: []try{
			{Name: "getpid", NoControl: none, Do: try32(unix.SYS_GETPID), Want: refused(unix.ENOSYS)},
			{Name: "unshare", NoControl: none, Do: try32(unix.SYS_UNSHARE, unix.CLONE_NEWUSER), Want: refused(unix.ENOSYS)},
			{Name: "ptrace, by its own number", NoControl: none, Do: try32(521), Want: refused(unix.ENOSYS)},
			{Name: "keyctl", NoControl: none, Do: try32(unix.SYS_KEYCTL), Want: refused(unix.ENOSYS)},
		},
	}.run(t)
}
