package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP02NamespaceAndTmpfs(t *testing.T) {
	attack{
		ID: "P2", Title: "cover a read-only or masked path with a tmpfs, in namespaces of its own",
		Reference: "sandboxes whose wrapped program may unshare: bwrap, srt, fence as usually configured",
		Tiers:     process,
		Tries: []try{
			{Name: "program", Sh: "unshare -Urm mount -t tmpfs none $READ", Want: refused()},
			{Name: "calls", Do: func(f *field) error {
				return forked(0, sys(unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS),
					sys(unix.SYS_MOUNT, text("none"), text(f.Read), text("tmpfs"), 0, 0))
			}, Want: refused(unix.EPERM)},
			{Name: "new mount interface", Do: func(f *field) error {
				return forked(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, sys(unix.SYS_FSOPEN, text("tmpfs"), 0),
					sys(unix.SYS_FSCONFIG, kept, unix.FSCONFIG_CMD_CREATE, 0, 0, 0))
			}, Want: refused(unix.EPERM)},
		},
	}.run(t)
}
