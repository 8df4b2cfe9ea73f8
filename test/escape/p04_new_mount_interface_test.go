package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP04NewMountInterface(t *testing.T) {
	const own = unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	at := ^uintptr(99) // AT_FDCWD
	no := refused(unix.EPERM)
	tree := func(f *field, then ...call) error {
		return forked(own, append([]call{sys(unix.SYS_OPEN_TREE, at, text(f.Work), unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)}, then...)...)
	}
	attr := func() uintptr { return address(&unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOEXEC}) }
	attack{
		ID: "P4", Title: "the calls that mount without mount(2)",
		Reference: "seccomp profiles older than Linux 5.2; CVE-2022-0185 (fsconfig)",
		Tiers:     process,
		Tries: []try{
			{Name: "fsopen", Do: func(*field) error { return forked(own, sys(unix.SYS_FSOPEN, text("tmpfs"), 0)) }, Want: no},
			{Name: "open_tree", Do: func(f *field) error { return closing(unix.OpenTree(unix.AT_FDCWD, f.Work, 0)) }, Want: no},
			{Name: "open_tree clone", Do: func(f *field) error { return tree(f) }, Want: no},
			{Name: "move_mount", Do: func(f *field) error {
				return tree(f, sys(unix.SYS_MOVE_MOUNT, kept, text(""), at, text(f.Read), unix.MOVE_MOUNT_F_EMPTY_PATH))
			}, Want: no},
			{Name: "mount_setattr", Do: func(f *field) error {
				return tree(f, sys(unix.SYS_MOUNT_SETATTR, kept, text(""), unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr(), 32))
			}, Want: no},
			{Name: "mount_setattr, plainly", NoControl: "it would change the host's mounts", Do: func(*field) error {
				_, err := raw(unix.SYS_MOUNT_SETATTR, at, text("/"), 0, address(&unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}), 32)
				return err
			}, Want: no},
			{Name: "fspick", NoControl: "it would open the host's file system for changes", Do: func(*field) error {
				_, err := raw(unix.SYS_FSPICK, at, text("/"), 0)
				return err
			}, Want: no},
			{Name: "fsmount", NoControl: "it needs what fsopen gives", Do: func(*field) error { _, err := raw(unix.SYS_FSMOUNT, 0, 0, 0); return err }, Want: no},
			{Name: "open_tree_attr", NoControl: "newer than the kernels that are supported", Do: func(*field) error { _, err := raw(467, at, text("/"), 1, attr(), 32); return err }, Want: no},
		},
	}.run(t)
}
