//go:build linux

package seccomp_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// nativeProbes are the calls that only this architecture has.
func nativeProbes() []probe {
	path := func(p string) uintptr {
		b := append([]byte(p), 0)
		kept = append(kept, b)
		return address(b)
	}
	return []probe{
		{name: "iopl", try: call(unix.SYS_IOPL, 4), want: "EPERM", control: "EINVAL ENOSYS"},
		{name: "ioperm", try: call(unix.SYS_IOPERM, 1<<20, 1, 1), want: "EPERM", control: "EINVAL ENOSYS"},
		{name: "modify_ldt", try: call(unix.SYS_MODIFY_LDT, 99), want: "EPERM"},
		{name: "ustat", try: ustat, want: "EPERM"},
		{name: "chmod", try: file(func(p string, _ int) error { return raw(unix.SYS_CHMOD, path(p), 0o6755) }), want: "EPERM"},
		{name: "mknod", try: made("oldnode", func(p string) error { return raw(unix.SYS_MKNOD, path(p), unix.S_IFREG|0o4755, 0) }), want: "EPERM"},
		{name: "mkdir", try: made("olddirectory", func(p string) error { return raw(unix.SYS_MKDIR, path(p), 0o4755) }), want: "EPERM"},
		{name: "creat", try: made("oldcreated", func(p string) error { return raw(unix.SYS_CREAT, path(p), 0o2755) }), want: "EPERM"},
		{name: "open CREAT", try: made("oldopened", func(p string) error { return raw(unix.SYS_OPEN, path(p), unix.O_CREAT|unix.O_RDWR, 0o4755) }), want: "EPERM"},
	}
}

var kept [][]byte

func ustat() error {
	var root unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		return err
	}
	return raw(unix.SYS_USTAT, uintptr(root.Dev), address(make([]byte, 64)))
}

func nativeChildren() map[string]entry {
	return map[string]entry{"int80": callInt80, "x32": callX32}
}

// TestX32 has no control: a kernel without that ABI answers the same.
func TestX32(t *testing.T) {
	got := runChild(t, order{Child: "x32", Filtered: true})
	if got["getpid"] != "ENOSYS" {
		t.Errorf("x32 getpid: %s, want ENOSYS", got["getpid"])
	}
}

func callX32(o seccomp.Options, filtered bool) {
	if _, err := install(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tell("getpid", raw(0x40000000|unix.SYS_GETPID))
}

// TestForeignABIKills makes a call of the i386 ABI, whose numbers mean other
// calls to the filter.
func TestForeignABIKills(t *testing.T) {
	if got := runChild(t, order{Child: "int80"}); got["getpid"] != "ok" {
		t.Skipf("requires: a kernel that answers int 0x80: %s", got["getpid"])
	}
	cmd := child(t, order{Child: "int80", Filtered: true})
	out, err := cmd.Output()
	if err == nil {
		t.Fatalf("int 0x80 went through: %s", out)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != unix.SIGSYS {
		t.Errorf("ended with %v, want SIGSYS\n%s%s", cmd.ProcessState, out, cmd.Stderr)
	}
}

func callInt80(o seccomp.Options, filtered bool) {
	code, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	copy(code, "\xb8\x14\x00\x00\x00" /* mov $20, %eax: getpid */ +"\xcd\x80" /* int $0x80 */ +"\xc3" /* ret */)
	if filtered {
		if _, err := install(o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if got := run(code); got != uintptr(os.Getpid()) {
		fmt.Printf("getpid: %d\n", int32(got))
		return
	}
	tell("getpid", nil)
}
