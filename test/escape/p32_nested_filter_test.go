package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP32NestedFilter(t *testing.T) {
	filter := func(result uint32) uintptr {
		code := &[2]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: result}}
		return address(&unix.SockFprog{Len: 1, Filter: (*unix.SockFilter)(&code[0])})
	}
	noNewPrivs := sys(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	attack{
		ID: "P32", Title: "put a filter of one's own beneath",
		Reference: "seccomp_unotify(2): only one listener; filters that fake results for children",
		Tiers:     process,
		Tries: []try{
			{Name: "with a listener", Want: refused(unix.EBUSY), Do: func(*field) error {
				return forked(0, noNewPrivs, sys(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, filter(unix.SECCOMP_RET_ALLOW)))
			}},
			{Name: "plain", Want: allowed("a filter can only tighten"), Do: func(*field) error {
				return forked(0, noNewPrivs, sys(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, filter(unix.SECCOMP_RET_ALLOW)))
			}},
			{Name: "one that lets everything pass, then unshare", Want: refused(unix.EPERM), Do: func(*field) error {
				return forked(0, noNewPrivs, sys(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, filter(unix.SECCOMP_RET_ALLOW)),
					sys(unix.SYS_UNSHARE, unix.CLONE_NEWUSER))
			}},
			{Name: "undo", NoControl: "there is no such call", Want: refused(unix.EINVAL), Do: func(*field) error {
				_, err := raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_STRICT, 1, 0)
				return err
			}},
		},
	}.run(t)
}
