package escape_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF04DotDot(t *testing.T) {
	up := strings.Repeat("../", 64)
	attack{
		ID: "F4", Title: "climb out with .. from the working directory and from descriptors",
		Reference: "the oldest one; CVE-2019-5736's kin, filter-container of Landlock's self-tests",
		Tiers:     process,
		Tries: []try{
			{Name: "from the working directory", Do: func(f *field) error { return f.readFile(up + f.Canary[1:]) }, Want: refused(unix.ENOENT)},
			{Name: "one level", Do: func(f *field) error { return f.readFile("../outside/canary") }, Want: refused(unix.ENOENT)},
			{Name: "by chdir", Do: func(f *field) error {
				for range 64 {
					if err := os.Chdir(".."); err != nil { //nolint:usetesting // in the attacking program, which has no test
						return err
					}
				}
				return f.readFile(f.Canary[1:])
			}, Want: refused(unix.ENOENT)},
			{Name: "from a descriptor", Do: func(f *field) error {
				fd, err := unix.Open(f.Work, unix.O_RDONLY|unix.O_DIRECTORY, 0)
				if err != nil {
					return err
				}
				return f.readAt(fd, up+f.Canary[1:])
			}, Want: refused(unix.ENOENT)},
			{Name: "from an O_PATH descriptor", Do: func(f *field) error {
				fd, err := unix.Open(f.Work, unix.O_PATH, 0)
				if err != nil {
					return err
				}
				return f.readAt(fd, "../outside/canary")
			}, Want: refused(unix.ENOENT)},
			{Name: "out of a directory that was moved", Do: func(f *field) error {
				// As out of a chroot (chroot(2)): the descriptor leaves the tree
				// that .. is bounded by, as in a chroot.
				if err := os.MkdirAll(f.work("a/b/c"), 0o755); err != nil {
					return err
				}
				fd, err := unix.Open(f.work("a/b/c"), unix.O_PATH, 0)
				if err != nil {
					return err
				}
				if err := os.Rename(f.work("a/b/c"), f.work("c")); err != nil {
					return err
				}
				return f.readAt(fd, "../../outside/canary")
			}, Want: refused(unix.ENOENT)},
		},
	}.run(t)
}
