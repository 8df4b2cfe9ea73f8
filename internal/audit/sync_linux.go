package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// syncData makes the content of f and its length durable. fdatasync(2) flushes
// the metadata that a later read of the data needs, which includes the size,
// and spares the journal the times of the inode.
func syncData(f *os.File) error {
	for {
		if err := thread.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
