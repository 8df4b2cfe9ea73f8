package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF41Unreadable(t *testing.T) {
	read := func(path string) func(f *field) error {
		return func(f *field) error {
			fd, err := unix.Open(path, unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Close(fd) // what it says is nobody's business
		}
	}
	tries := []try{{Name: "shadow", Root: true, Do: read("/etc/shadow"), Want: refused(unix.EACCES)}}
	if os.Getuid() == 0 && attempting == nil {
		// Root may read its own files; without capabilities it reads no others'. Who
		// attempts it may be called root inside, and is not.
		tries = nil
	}
	attack{
		ID: "F41", Title: "read what the user may not read, beneath a granted directory",
		Reference: "a sandbox that is set up by root and forgets whose rights count",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.put(t, f.read("other"), f.token)
			if err := os.Chmod(f.read("other"), 0); err != nil {
				t.Fatal(err)
			}
			if os.Getuid() == 0 {
				if err := os.Chown(f.read("other"), 65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
		},
		Flags: func(*field) []string { return []string{"--allow", "fs.read:/etc"} },
		Tries: append(tries, try{Name: "file of another", Root: true, Do: func(f *field) error {
			return closing(unix.Open(f.read("other"), unix.O_RDONLY, 0))
		}, Want: refused(unix.EACCES)}),
	}.run(t)
}
