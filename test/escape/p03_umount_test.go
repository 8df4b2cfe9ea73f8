package escape_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP03Umount(t *testing.T) {
	// mounts are those that the view shows.
	mounts := func() (paths []string) {
		text, _ := os.ReadFile("/proc/self/mountinfo") // none: the try fails
		for line := range strings.Lines(string(text)) {
			paths = append(paths, strings.Fields(line)[4])
		}
		return paths
	}
	attack{
		ID: "P3", Title: "take mounts of the view away, to see what lies beneath",
		Reference: "masked paths in containers; locked mounts in mount_namespaces(7)",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.secret(t, "masked/secret") },
		Flags:     func(f *field) []string { return []string{"--deny", "fs.read:" + f.work("masked")} },
		Tries: []try{
			{Name: "any mount", NoControl: "it would take mounts of the host away", Want: refused(unix.EPERM), Do: func(f *field) error {
				return f.each(mounts(), func(p string) error { return unix.Unmount(p, unix.MNT_DETACH) })
			}},
			{Name: "the mask", NoControl: "it would take mounts of the host away", Want: refused(unix.EPERM), Do: func(f *field) error {
				if err := unix.Unmount(f.work("masked"), 0); err != nil {
					return err
				}
				return f.readFile(f.work("masked/secret"))
			}},
			{Name: "in namespaces of its own", Want: refused(unix.EPERM), Do: func(f *field) error {
				return forked(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, sys(unix.SYS_MOUNT, text("none"), text(f.Read), text("tmpfs"), 0, 0),
					sys(unix.SYS_UMOUNT2, text(f.Read), unix.MNT_DETACH))
			}},
			{Name: "umount program", Sh: "umount $WORK/masked", NoControl: "nothing is mounted there", Want: refused()},
		},
	}.run(t)
}
