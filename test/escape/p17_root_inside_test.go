package escape_test

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP17RootInside(t *testing.T) {
	attack{
		ID: "P17", Title: "execute as uid 0 after capabilities were dropped, and get them again",
		Reference: "capabilities(7), execve by root; runc without secure bits",
		Tiers:     process,
		Tries: []try{
			{Name: "execve", Root: true, Do: func(f *field) error {
				self := "/proc/self/exe"
				out, err := exec.Command(self, "show", "capabilities").Output()
				if err != nil {
					return err
				}
				if strings.Trim(string(out), "0 \n") == "" {
					return unix.EPERM
				}
				return nil
			}, Want: refused(unix.EPERM)},
			{Name: "setuid(0)", Root: true, Do: func(*field) error {
				_ = unix.Setresuid(0, 0, 0) // only root has a way to try
				if strings.Trim(status("/proc/self", "CapEff"), "0") == "" {
					return unix.EPERM
				}
				return nil
			}, Want: refused(unix.EPERM)},
			{Name: "ambient", Root: true, Do: func(*field) error {
				return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, 0, 0, 0)
			}, Want: allowed("to ask is harmless")},
			{Name: "capset", Root: true, Do: func(*field) error {
				h := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
				d := &[2]unix.CapUserData{{Effective: 1 << unix.CAP_CHOWN, Permitted: 1 << unix.CAP_CHOWN}}
				return unix.Capset(h, &d[0])
			}, Want: refused(unix.EPERM)},
			{Name: "secure bits", Root: true, Do: func(*field) error { return unix.Prctl(unix.PR_SET_SECUREBITS, 0, 0, 0, 0) }, Want: refused(unix.EPERM)},
			{Name: "setgroups", Root: true, Do: func(*field) error { return forked(0, sys(unix.SYS_SETGROUPS, 0, 0)) }, Want: refused(unix.EPERM)},
			{Name: "chown to another", Root: true, Do: func(f *field) error { return unix.Chown(f.work("file"), 65534, 65534) }, Want: refused(unix.EPERM, unix.EINVAL)},
		},
	}.run(t)
}
