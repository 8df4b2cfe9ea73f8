package escape_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF09LeakedDescriptor(t *testing.T) {
	no := refused(unix.EBADF, unix.ENOENT)
	attack{
		ID: "F9", Title: "use a directory of the host that the launcher left open",
		Reference: "CVE-2024-21626 (runc), CVE-2016-9962 (docker)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			for _, path := range []string{f.Outside, f.Canary} {
				h, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { h.Close() })
				f.extra = append(f.extra, h)
			}
		},
		Tries: []try{
			{Name: "openat", Do: func(f *field) error { return f.readAt(3, "canary") }, Want: no},
			{Name: "read", Do: func(f *field) error { return f.readFD(4) }, Want: no},
			{Name: "cd /proc/self/fd/3/..", Do: func(f *field) error { return f.readFile("/proc/self/fd/3/../outside/canary") }, Want: no},
			{Name: "any descriptor", Do: func(f *field) error {
				for fd := 3; fd < 1024; fd++ {
					if err := f.readAt(fd, "canary"); err == nil {
						return nil
					}
				}
				return unix.EBADF
			}, Want: no},
			{Name: "descriptors of process 1", Do: func(*field) error {
				fds, err := os.ReadDir("/proc/1/fd")
				for _, fd := range fds {
					target, e := os.Readlink("/proc/1/fd/" + fd.Name())
					if fi, e2 := os.Stat("/proc/1/fd/" + fd.Name()); e == nil && e2 == nil && fi.IsDir() {
						return errors.New("it has the directory " + target)
					}
				}
				return errors.Join(err, unix.EBADF)
			}, NoControl: "process 1 of the host has what it has", Want: refused(append([]unix.Errno{unix.EACCES}, no.errnos...)...)}, // no kernel has it be looked into, and some do not even list it
		},
	}.run(t)
}

func TestF09DirectoryAsStandardInput(t *testing.T) {
	// Landlock does not look at chmod, chown and utimes, so there is no launch.
	no := notLaunched("it is a directory")
	attack{
		ID: "F9", Title: "standard input is a directory of the host",
		Reference: "any tool that hands its own descriptor 0 on",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			h, err := os.Open(f.Outside)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			f.stdin = h
		},
		Tries: []try{
			{Name: "read beneath", Do: func(f *field) error { return f.readAt(0, "canary") }, Want: no},
			{Name: "write beneath", Do: func(*field) error { return overwriteAt(0, "canary", unix.O_WRONLY) }, Want: no},
			{Name: "chmod beneath", Do: func(*field) error { return unix.Fchmodat(0, "canary", 0o600, 0) }, Want: no},
			{Name: "utimes beneath", Do: func(*field) error {
				return unix.UtimesNanoAt(0, "canary", []unix.Timespec{{Sec: 1}, {Sec: 1}}, 0)
			}, Want: no},
			{Name: "climb", Do: func(f *field) error {
				if err := unix.Fchdir(0); err != nil {
					return err
				}
				return f.readFile("../outside/canary")
			}, Want: no},
			{Name: "chmod after climbing", Do: func(*field) error { return unix.Fchmodat(0, "../outside/canary", 0o600, 0) }, Want: no},
		},
	}.run(t)
}
