package keep

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Streams of output.
const (
	Stdout byte = 1
	Stderr byte = 2
)

const (
	headSize = 5
	// maxFrame bounds the data of one frame, and so what a reader holds.
	maxFrame = 64 << 10
)

// A Frame is one piece of output.
type Frame struct {
	Stream byte
	Data   []byte
	Next   int64 // the offset to go on from
	Lost   int64 // of what was wanted and is not kept any more: how far this begins behind it
}

// ErrOffset says that no frame begins at an offset.
var ErrOffset = errors.New("no piece of output begins there")

// Read reads the next frame from an offset on; io.EOF says that there is none yet. What
// was written there may not be kept any more: then it is the oldest that is.
func Read(dir string, offset int64) (Frame, error) {
	f, err := os.Open(filepath.Join(dir, outputFile))
	if errors.Is(err, os.ErrNotExist) && offset == 0 {
		return Frame{}, io.EOF
	}
	if err != nil {
		return Frame{}, err
	}
	defer f.Close()
	for at := offset; ; {
		fr, bad := frameAt(f, at)
		// What was not given back by now was not when it was read: it is told before.
		first, err := oldest(dir)
		if err != nil {
			return Frame{}, err
		}
		if offset < 0 || at >= first {
			fr.Lost = at - offset
			return fr, bad
		}
		at = first
	}
}

// frameAt reads the frame that begins at an offset of a file.
func frameAt(f *os.File, offset int64) (Frame, error) {
	info, err := f.Stat()
	if err != nil {
		return Frame{}, err
	}
	if offset < 0 || offset > info.Size() {
		return Frame{}, ErrOffset
	}
	if offset+headSize > info.Size() {
		return Frame{}, io.EOF
	}
	var head [headSize]byte
	if _, err := f.ReadAt(head[:], offset); err != nil {
		return Frame{}, err
	}
	n := int64(binary.BigEndian.Uint32(head[1:]))
	if head[0] != Stdout && head[0] != Stderr || n == 0 || n > maxFrame {
		return Frame{}, ErrOffset
	}
	if offset+headSize+n > info.Size() {
		return Frame{}, io.EOF
	}
	fr := Frame{Stream: head[0], Data: make([]byte, n), Next: offset + headSize + n}
	_, err = f.ReadAt(fr.Data, offset+headSize)
	return fr, err
}

// oldestFile has the offset of the oldest frame that is kept, 8 bytes, behind those that
// were it before; it is not there as long as that is 0. Whoever reads it sees whole ones:
// a file is longer when what makes it so is there.
const (
	oldestFile = "oldest"
	oldestSize = 8
)

// oldest is the offset of the oldest frame that is kept in the folder of a job.
func oldest(dir string) (int64, error) {
	f, err := os.Open(filepath.Join(dir, oldestFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < oldestSize {
		return 0, err
	}
	var at [oldestSize]byte
	if _, err := f.ReadAt(at[:], info.Size()/oldestSize*oldestSize-oldestSize); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(at[:])), nil
}
