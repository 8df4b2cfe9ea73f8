package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP06Setns(t *testing.T) {
	no := refused(unix.EPERM, unix.ESRCH, unix.EACCES)
	join := func(kind string, flag uintptr) func(f *field) error {
		return func(*field) error {
			return forked(unix.CLONE_NEWUSER|flag, sys(unix.SYS_OPEN, text("/proc/self/ns/"+kind), unix.O_RDONLY), sys(unix.SYS_SETNS, kept, 0))
		}
	}
	attack{
		ID: "P6", Title: "enter other namespaces",
		Reference: "nsenter -t 1 -a from a container with the host's pids",
		Tiers:     process,
		Tries: []try{
			{Name: "by file", Do: join("uts", unix.CLONE_NEWUTS), Want: no},
			{Name: "by pidfd", Do: func(*field) error {
				return forked(unix.CLONE_NEWUSER|unix.CLONE_NEWUTS, sys(unix.SYS_GETPID), sys(unix.SYS_PIDFD_OPEN, kept, 0), sys(unix.SYS_SETNS, kept, unix.CLONE_NEWUTS))
			}, Want: no},
			{Name: "of process 1", Do: func(f *field) error {
				return f.each([]string{"mnt", "net", "pid", "user", "uts", "ipc", "cgroup", "time"}, func(kind string) error {
					fd, err := os.Open("/proc/1/ns/" + kind)
					if err != nil {
						return err
					}
					return forked(0, sys(unix.SYS_SETNS, fd.Fd(), 0))
				})
			}, NoControl: "what root may do to process 1 depends on the host", Want: no},
			{Name: "pidfd of process 1", NoControl: "what root may do to process 1 depends on the host", Do: func(*field) error {
				return forked(0, sys(unix.SYS_PIDFD_OPEN, 1, 0), sys(unix.SYS_SETNS, kept, unix.CLONE_NEWUTS))
			}, Want: no},
			{Name: "nsenter", Sh: "nsenter -t 1 -u true", NoControl: "what root may do to process 1 depends on the host", Want: refused()},
		},
	}.run(t)
}
