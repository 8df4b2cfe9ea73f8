package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF14PathDescriptor(t *testing.T) {
	attack{
		ID: "F14", Title: "hold an O_PATH descriptor of a directory that is not granted",
		Reference: "O_PATH passes Landlock; a descriptor of a node that is covered later stays stale for ever",
		Tiers:     process,
		Tries: []try{
			{Name: "hidden directory", Do: func(f *field) error { return closing(unix.Open(f.Outside, unix.O_PATH, 0)) }, Want: refused(unix.ENOENT)},
			{Name: "hidden beneath one that leads to a grant", Do: func(f *field) error {
				fd, err := unix.Open(f.Dir, unix.O_PATH|unix.O_DIRECTORY, 0)
				if err != nil {
					return err
				}
				return f.readAt(fd, "outside/canary")
			}, Want: refused(unix.ENOENT)},
			{Name: "granted beneath one that leads to a grant", Do: func(f *field) error {
				fd, err := unix.Open(f.Dir, unix.O_PATH|unix.O_DIRECTORY, 0)
				if err != nil {
					return err
				}
				var st unix.Stat_t
				if err := unix.Fstat(fd, &st); err != nil {
					return err
				}
				return f.readAt(fd, "work/file")
			}, Want: allowed("the descriptor is good for what is granted")},
		},
	}.run(t)
}
