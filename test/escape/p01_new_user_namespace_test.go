package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP01NewUserNamespace(t *testing.T) {
	attack{
		ID: "P1", Title: "make a user namespace, where one is root again",
		Reference: "the first step of CVE-2022-0185, CVE-2022-25636 and CVE-2023-0386",
		Tiers:     process,
		Tries: []try{
			{Name: "unshare program", Sh: "unshare -Ur true", Want: refused()},
			{Name: "unshare", Do: func(*field) error { return forked(0, sys(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)) }, Want: refused(unix.EPERM)},
			{Name: "clone", Do: func(*field) error { return forked(unix.CLONE_NEWUSER) }, Want: refused(unix.EPERM)},
			{Name: "clone3", Do: func(*field) error {
				args := &[11]uint64{0: unix.CLONE_NEWUSER, 4: uint64(unix.SIGCHLD)}
				return clone3(args)
			}, Want: refused(unix.ENOSYS)},
		},
	}.run(t)
}
