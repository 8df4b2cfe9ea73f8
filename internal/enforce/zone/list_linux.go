package zone

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

const direntHead = 19 // d_ino, d_off, d_reclen, d_type of struct linux_dirent64

// readdir lists from where the kernel left off; the host's own positions are the
// kernel's, so that nothing is remembered of a folder, however large.
func (z *Zone) readdir(r fuse.Request) ([]byte, error) {
	fd, err := z.opened(r)
	if err != nil {
		return nil, err
	}
	offset, size, err := r.Window()
	if err != nil {
		return nil, err
	}
	if _, err := unix.Seek(fd, int64(offset), unix.SEEK_SET); err != nil {
		return nil, err
	}
	size = min(size, fuse.BufferSize)
	// An entry takes a third more in the answer than in what the host says.
	in, out := make([]byte, size/4*3), make([]byte, 0, size)
	for len(out) == 0 { // all of a batch may be what is not shown
		n, err := unix.Getdents(fd, in)
		if err != nil || n == 0 {
			return nil, err
		}
		if out, err = z.list(fd, in[:n], out, size); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list translates entries of the host.
func (z *Zone) list(dir int, in, out []byte, room int) ([]byte, error) {
	for len(in) > direntHead {
		next, length, kind := wire.Uint64(in[8:]), int(wire.Uint16(in[16:])), in[18]
		if length <= direntHead || length > len(in) {
			return nil, errors.New("internal error: a folder's entry is not whole")
		}
		name, _, _ := bytes.Cut(in[direntHead:length], []byte{0})
		in = in[length:]
		mode := uint32(kind) << 12
		if kind == unix.DT_UNKNOWN {
			var st unix.Stat_t
			if unix.Fstatat(dir, string(name), &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
				mode = st.Mode
			}
		}
		if !shown(mode) {
			continue
		}
		var fits bool
		if out, fits = fuse.AppendDirent(out, room, string(name), next, mode&unix.S_IFMT); !fits {
			return nil, errors.New("internal error: a folder's entries do not fit")
		}
	}
	return out, nil
}
