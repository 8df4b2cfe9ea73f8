package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A descriptor keeps the mount that it was opened on: what is read-only in the
// view is not so by a descriptor that was opened outside.
func TestF17StandardInput(t *testing.T) {
	old := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	attack{
		ID: "F16, F17", Title: "change a file that is standard input, opened for reading",
		Reference: "fchmod(2) and futimens(3) need no right to write; any tool that hands its own descriptor 0 on",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			h, err := os.Open(f.Canary)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			f.stdin = h
		},
		Harm: func(f *field) string { return f.harm() },
		Tries: []try{
			{Name: "mode", Do: func(*field) error { return unix.Fchmod(0, 0) }, Want: refused(unix.EROFS)},
			{Name: "mode by name", Do: func(*field) error { return unix.Chmod("/dev/stdin", 0o600) }, Want: refused(unix.EROFS)},
			{Name: "times", Do: func(*field) error { return unix.UtimesNanoAt(unix.AT_FDCWD, "/proc/self/fd/0", old, 0) }, Want: refused(unix.EROFS)},
			{Name: "attributes", Do: func(*field) error { return unix.Fsetxattr(0, "user.ambit", []byte("x"), 0) }, Want: refused(unix.EROFS)},
			{Name: "content", Do: func(*field) error { return overwrite("/proc/self/fd/0") }, Want: refused(unix.EROFS, unix.EACCES)},
			{Name: "execute", Harmless: true, Do: func(*field) error {
				_, err := unix.Mmap(0, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
				return err
			}, Want: refused(unix.EPERM)},
			{Name: "read", Harmless: true, Do: func(*field) error {
				_, err := unix.Read(0, make([]byte, 4))
				return err
			}, Want: allowed("it was handed in for that")},
		},
	}.run(t)
}
