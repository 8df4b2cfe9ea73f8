package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF37Mount(t *testing.T) {
	// Outside it is done in namespaces of its own, which every user can have.
	in := func(flags uintptr, kind string) func(f *field) error {
		return func(f *field) error {
			if err := os.MkdirAll(f.work("m"), 0o755); err != nil {
				return err
			}
			return forked(flags, sys(unix.SYS_MOUNT, text("none"), text(f.work("m")), text(kind), 0, 0))
		}
	}
	no := refused(unix.EPERM)
	attack{
		ID: "F37", Title: "mount file systems anew",
		Reference: "CDK's mount-cgroup and mount-procfs; a fresh procfs shows what was masked",
		Tiers:     process,
		Tries: []try{
			{Name: "tmpfs in namespaces of its own", Do: in(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, "tmpfs"), Want: no},
			{Name: "tmpfs", Root: true, Do: in(unix.CLONE_NEWNS, "tmpfs"), Want: no},
			{Name: "tmpfs, plainly", NoControl: "it would mount on the host", Do: in(0, "tmpfs"), Want: no},
			{Name: "proc", NoControl: "it would mount on the host", Do: in(0, "proc"), Want: no},
			{Name: "sysfs", NoControl: "it would mount on the host", Do: in(0, "sysfs"), Want: no},
			{Name: "cgroup2", NoControl: "it would mount on the host", Do: in(0, "cgroup2"), Want: no},
			{Name: "bind", Do: func(f *field) error {
				return forked(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, sys(unix.SYS_MOUNT, text(f.Work), text(f.Read), 0, unix.MS_BIND, 0))
			}, Want: no},
			{Name: "remount writable", NoControl: "it would change the host's mounts", Do: func(f *field) error {
				return forked(0, sys(unix.SYS_MOUNT, 0, text(f.Read), 0, unix.MS_REMOUNT|unix.MS_BIND, 0))
			}, Want: no},
			{Name: "mount program", Sh: "mount -t tmpfs none " + "$WORK/m", NoControl: "it would mount on the host", Want: refused()},
		},
	}.run(t)
}
