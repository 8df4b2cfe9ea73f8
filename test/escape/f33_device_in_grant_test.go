package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF33DeviceInGrant(t *testing.T) {
	if attempting == nil && os.Getuid() != 0 {
		t.Skip("requires: root, to make a device node that could be opened")
	}
	attack{
		ID: "F33", Title: "open a device node that lies in a granted directory",
		Reference: "a home directory copied from a root file system; nodev in mount(8)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			for _, dir := range []string{f.Work, f.Read} {
				if err := unix.Mknod(dir+"/full", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 7))); err != nil {
					t.Fatal(err)
				}
			}
		},
		Tries: []try{
			{Name: "in a writable grant", Do: func(f *field) error { return closing(unix.Open(f.work("full"), unix.O_RDONLY, 0)) }, Want: refused(unix.EACCES)},
			{Name: "in a read-only grant", Do: func(f *field) error { return closing(unix.Open(f.read("full"), unix.O_RDONLY, 0)) }, Want: refused(unix.EACCES)},
		},
	}.run(t)
}
