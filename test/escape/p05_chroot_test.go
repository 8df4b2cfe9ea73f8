package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP05Chroot(t *testing.T) {
	no := refused(unix.EPERM)
	attack{
		ID: "P5", Title: "leave by chroot, twice, or by pivot_root",
		Reference: "the double chroot, in every book; chroot(2)",
		Tiers:     process,
		Tries: []try{
			{Name: "chroot", Do: func(f *field) error { return forked(unix.CLONE_NEWUSER, sys(unix.SYS_CHROOT, text(f.Work))) }, Want: no},
			{Name: "plain chroot", Root: true, Do: func(f *field) error { return forked(0, sys(unix.SYS_CHROOT, text(f.Work))) }, Want: no},
			{Name: "double chroot", Root: true, Do: func(f *field) error {
				return forked(0, sys(unix.SYS_CHDIR, text(f.Dir)), sys(unix.SYS_CHROOT, text(f.Work)), sys(unix.SYS_CHDIR, text("../../../../../../../..")),
					sys(unix.SYS_CHROOT, text(".")), sys(unix.SYS_OPEN, text(f.Canary), unix.O_RDONLY))
			}, Want: no},
			{Name: "pivot_root", Do: func(f *field) error {
				return forked(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, sys(unix.SYS_MOUNT, text("none"), text(f.Work), text("tmpfs"), 0, 0),
					sys(unix.SYS_CHDIR, text(f.Work)), sys(unix.SYS_PIVOT_ROOT, text("."), text(".")))
			}, Want: no},
			{Name: "pivot_root, plainly", NoControl: "it would move the host's root", Do: func(f *field) error {
				return forked(0, sys(unix.SYS_PIVOT_ROOT, text(f.Work), text(f.Work)))
			}, Want: no},
		},
	}.run(t)
}
