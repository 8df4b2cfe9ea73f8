package keep

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
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

// An Output keeps what a program writes, up to a bound.
type Output struct {
	mu      sync.Mutex
	file    *os.File // guarded by mu
	left    int64    // guarded by mu; bytes that may still be written
	at      int64    // guarded by mu; end of the last whole frame
	dropped int64    // guarded by mu
}

// newOutput makes the file of output in the folder of a job.
func newOutput(dir string, most int64) (*Output, error) {
	f, err := os.OpenFile(filepath.Join(dir, outputFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Output{file: f, left: most}, nil
}

// stream is the writer of one stream.
func (o *Output) stream(which byte) io.Writer { return writer{o, which} }

type writer struct {
	out   *Output
	which byte
}

// Write keeps p, or counts it. It never fails: who writes is not to be held up.
func (w writer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), maxFrame)
		w.out.put(w.which, rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

func (o *Output) put(which byte, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	frame := append(binary.BigEndian.AppendUint32([]byte{which}, uint32(len(data))), data...)
	if o.dropped > 0 || int64(len(frame)) > o.left { // no piece behind a gap
		o.dropped += int64(len(data))
		return
	}
	if _, err := o.file.WriteAt(frame, o.at); err != nil {
		o.dropped += int64(len(data))
		_ = o.file.Truncate(o.at) // a full disk; a piece of a frame is never read as one
		return
	}
	o.at, o.left = o.at+int64(len(frame)), o.left-int64(len(frame))
}

// end closes the file and says how much is missing.
func (o *Output) end() (dropped int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped, o.file.Close()
}

// A Frame is one piece of output.
type Frame struct {
	Stream byte
	Data   []byte
	Next   int64 // the offset to go on from
}

// ErrOffset says that no frame begins at an offset.
var ErrOffset = errors.New("no piece of output begins there")

// Read reads the next frame from an offset on; io.EOF says that there is none yet.
func Read(dir string, offset int64) (Frame, error) {
	f, err := os.Open(filepath.Join(dir, outputFile))
	if errors.Is(err, os.ErrNotExist) && offset == 0 {
		return Frame{}, io.EOF
	}
	if err != nil {
		return Frame{}, err
	}
	defer f.Close()
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
