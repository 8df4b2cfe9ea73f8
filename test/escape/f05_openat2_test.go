package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF05Openat2(t *testing.T) {
	open := func(dir, path string, resolve uint64) func(f *field) error {
		return func(f *field) error {
			fd := unix.AT_FDCWD
			if dir != "" {
				var err error
				if fd, err = unix.Open(f.Dir, unix.O_PATH, 0); err != nil {
					return err
				}
			}
			p := path
			if p == "" {
				p = f.Canary
			}
			fd, err := unix.Openat2(fd, p, &unix.OpenHow{Flags: unix.O_RDONLY, Resolve: resolve})
			if err != nil {
				return err
			}
			return f.readFD(fd)
		}
	}
	const rel = "outside/canary"
	// Its arguments lie in memory, so the filter refuses all of it.
	no := refused(unix.ENOSYS)
	attack{
		ID: "F5", Title: "openat2 with every flag",
		Reference: "openat2(2); Landlock's and the kernel's self-tests of openat2",
		Tiers:     process,
		Tries: []try{
			{Name: "no flag", Do: open("", "", 0), Want: no},
			{Name: "RESOLVE_NO_MAGICLINKS", Do: open("", "", unix.RESOLVE_NO_MAGICLINKS), Want: no},
			{Name: "RESOLVE_NO_SYMLINKS", Do: open("", "", unix.RESOLVE_NO_SYMLINKS), Want: no},
			{Name: "RESOLVE_BENEATH", Do: open("dir", rel, unix.RESOLVE_BENEATH), Want: no},
			{Name: "RESOLVE_IN_ROOT", Do: open("dir", "/../"+rel, unix.RESOLVE_IN_ROOT), Want: no},
			{Name: "RESOLVE_NO_XDEV", Do: open("dir", rel, unix.RESOLVE_NO_XDEV), Want: no},
			{Name: "magic link among the components", Do: open("", "/proc/self/cwd/../outside/canary", 0), Want: no},
			{Name: "magic link, openat", Do: func(f *field) error { return f.readFile("/proc/self/cwd/../outside/canary") }, Want: refused(unix.ENOENT)},
		},
	}.run(t)
}
