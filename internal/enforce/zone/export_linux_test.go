package zone

import (
	"errors"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// Ask puts a request without a kernel.
func (z *Zone) Ask(r fuse.Request) ([]byte, unix.Errno) {
	n := z.nodes.ids[r.Node]
	if n == nil {
		return nil, unix.ESTALE
	}
	b, err := z.answer(r, n)
	errno := unix.Errno(0)
	if err != nil && !errors.As(err, &errno) {
		errno = unix.EINVAL
	}
	return b, errno
}

// Known is how many names the kernel knows.
func (z *Zone) Known() int { return len(z.nodes.ids) }

// Forget is what the kernel says of a name.
func (z *Zone) Forget(node, lookups uint64) { z.nodes.forget(node, lookups) }

// Used is what is counted.
func (z *Zone) Used() (bytes, files int64) { return z.used.bytes, z.used.files }

// Nameless is what is open and has lost its name, as the host has it.
func (z *Zone) Nameless() (bytes, files int64) {
	seen := map[inode]bool{}
	for _, fd := range z.handles {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Nlink == 0 && !seen[inode{st.Dev, st.Ino}] {
			seen[inode{st.Dev, st.Ino}] = true
			bytes, files = bytes+st.Size, files+1
		}
	}
	return bytes, files
}
