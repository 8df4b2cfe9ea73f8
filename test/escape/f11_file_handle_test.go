package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF11FileHandle(t *testing.T) {
	attack{
		ID: "F11", Title: "open a file by its handle, without a path",
		Reference: "shocker.c, 2014 (docker): open_by_handle_at with inode 2",
		Tiers:     process,
		Tries: []try{
			{Name: "guessed handle", Do: func(f *field) error {
				mount, err := unix.Open(f.Work, unix.O_RDONLY|unix.O_DIRECTORY, 0)
				if err != nil {
					return err
				}
				// FILEID_INO32_GEN, inode 2: the root of ext4 and others.
				h := unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0})
				_, err = unix.OpenByHandleAt(mount, h, unix.O_RDONLY)
				return reached(err, unix.ESTALE)
			}, Root: true, Want: refused(unix.EPERM)},
			{Name: "make a handle", Do: func(f *field) error {
				_, _, err := unix.NameToHandleAt(unix.AT_FDCWD, f.work("file"), 0)
				return reached(err, unix.EOPNOTSUPP)
			}, Want: refused(unix.EPERM)},
		},
	}.run(t)
}
