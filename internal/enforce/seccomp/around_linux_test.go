package seccomp

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAround: what a kernel needs goes through, and what leaves a trap for others
// in a granted folder does not.
func TestAround(t *testing.T) {
	rs := around()
	for _, c := range []struct {
		call string
		args [6]uint64
		want action
	}{
		{"mount", [6]uint64{}, allow},
		{"ptrace", [6]uint64{}, allow},
		{"unshare", [6]uint64{unix.CLONE_NEWUSER}, allow},
		{"openat", [6]uint64{3: 0o755}, allow},
		{"fchmod", [6]uint64{1: 0o755}, allow},
		{"fchmod", [6]uint64{1: unix.S_ISUID | 0o755}, eperm},
		{"openat", [6]uint64{2: unix.O_CREAT, 3: unix.S_ISGID | 0o755}, eperm},
		{"mknodat", [6]uint64{2: unix.S_ISUID}, eperm},
		{"bpf", [6]uint64{}, eperm},
		{"keyctl", [6]uint64{}, eperm},
		{"io_uring_setup", [6]uint64{}, eperm},
		{"ioctl", [6]uint64{1: unix.TIOCSTI}, eperm},
		{"socket", [6]uint64{unix.AF_PACKET}, refuse(unix.EAFNOSUPPORT)},
	} {
		got := allow
		if i := slices.IndexFunc(rs, func(r rule) bool { return r.call == c.call && r.holds(c.args) }); i >= 0 {
			got = rs[i].act
		}
		if got != c.want {
			t.Errorf("%s %v: %v, want %v", c.call, c.args, got, c.want)
		}
	}
	if _, err := Around(); err != nil {
		t.Error(err)
	}
}
