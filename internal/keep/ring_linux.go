package keep

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// ringSteps is into how many parts what is kept is given back, one after the other.
const ringSteps = 16

// A ring makes room at the end of a file by giving back what was written first, so that
// offsets stay what they were: behind what is kept, the file is a hole.
//
// Where the file system makes no holes, or that fails, there is no more room.
type ring struct {
	dir    string
	file   *os.File
	most   int64   // bytes that are kept
	oldest int64   // the first offset that is kept
	marks  []int64 // offsets of frames behind it, a step apart
	failed bool    // nothing can be given back
}

// room reports whether a frame of so many bytes can be written at an offset, where the
// last one ends, and makes room for it.
func (r *ring) room(at, size int64) bool {
	if at-r.last() >= r.most/ringSteps {
		r.marks = append(r.marks, at)
	}
	if at+size-r.oldest <= r.most {
		return true
	}
	i := slices.IndexFunc(r.marks, func(m int64) bool { return at+size-m <= r.most })
	if i < 0 || r.failed || r.giveBack(at, r.marks[i]) != nil {
		r.failed = true
		return false
	}
	r.oldest = r.marks[i]
	r.marks = slices.Delete(r.marks, 0, i+1)
	return true
}

// last is the newest mark.
func (r *ring) last() int64 {
	if n := len(r.marks); n > 0 {
		return r.marks[n-1]
	}
	return r.oldest
}

// giveBack makes a hole of what lies before an offset, in a file that ends at another.
//
// Where the hole begins to be one, readers know: they are told before (oldest).
func (r *ring) giveBack(end, before int64) error {
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if r.oldest == 0 { // of nothing, to see whether it can be: nobody is told of what is not done
		if err := r.punch(mode, end, 1); err != nil {
			return err
		}
	}
	if err := tellOldest(r.dir, before); err != nil {
		return err
	}
	const block = 64 << 10 // at least a file system's: of one that lay across the edge the rest goes too
	from := r.oldest / block * block
	return r.punch(mode, from, before-from)
}

func (r *ring) punch(mode uint32, at, size int64) error {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = unix.Fallocate(int(fd), mode, at, size) }); e != nil {
		return e
	}
	return err
}

func tellOldest(dir string, at int64) error {
	f, err := os.OpenFile(filepath.Join(dir, oldestFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(binary.BigEndian.AppendUint64(nil, uint64(at)))
	return errors.Join(err, f.Close())
}
