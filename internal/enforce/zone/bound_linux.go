package zone

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// usage is what a zone holds.
type usage struct{ bytes, files int64 }

// count looks at all that the zone shows.
func (z *Zone) count() (u usage, err error) {
	if !z.dir {
		var st unix.Stat_t
		err = unix.Fstat(z.root, &st)
		return usage{st.Size, 1}, err
	}
	root, err := os.OpenRoot(z.config.Path)
	if err != nil {
		return u, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		u.files++
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			u.bytes += info.Size()
		}
		return err
	})
	return u, err
}

// room is what may be written of data.
func (z *Zone) room(data []byte) ([]byte, error) {
	if z.config.Bytes == 0 {
		return data, nil
	}
	left := z.config.Bytes - z.used.bytes
	if left <= 0 && len(data) > 0 {
		return nil, z.full(&z.fullBytes)
	}
	return data[:min(int64(len(data)), left)], nil
}

const statfsSize = 80

// statfs tells of the host's file system, or of what the bounds leave of it.
func (z *Zone) statfs() ([]byte, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(z.lock, &st); err != nil {
		return nil, err
	}
	if err := z.readTally(); err != nil {
		return nil, err
	}
	b := make([]byte, statfsSize)
	block := uint64(max(st.Bsize, 1))
	total, free, files, unused := st.Blocks, st.Bavail, st.Files, st.Ffree
	if most := z.config.Bytes; most > 0 {
		total = min(total, uint64(most)/block)
		free = min(free, uint64(max(most-z.used.bytes, 0))/block)
	}
	if most := z.config.Files; most > 0 {
		files, unused = min(files, uint64(most)), min(unused, uint64(max(most-z.used.files, 0)))
	}
	for i, v := range []uint64{total, free, free, files, unused} {
		wire.PutUint64(b[8*i:], v)
	}
	wire.PutUint32(b[40:], uint32(block))
	wire.PutUint32(b[44:], 255)
	wire.PutUint32(b[48:], uint32(block))
	return b, nil
}
