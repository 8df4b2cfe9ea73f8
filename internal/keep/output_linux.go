package keep

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// An Output keeps what a program writes: the newest of it, up to a bound.
type Output struct {
	mu      sync.Mutex
	file    *os.File // guarded by mu
	ring    ring     // guarded by mu
	at      int64    // guarded by mu; end of the last whole frame
	dropped int64    // guarded by mu
}

// newOutput makes the file of output in the folder of a job.
func newOutput(dir string, most int64) (*Output, error) {
	f, err := os.OpenFile(filepath.Join(dir, outputFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Output{file: f, ring: ring{dir: dir, file: f, most: most}}, nil
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
	if o.dropped > 0 || !o.ring.room(o.at, int64(len(frame))) { // no piece behind a gap
		o.dropped += int64(len(data))
		return
	}
	if _, err := o.file.WriteAt(frame, o.at); err != nil {
		o.dropped += int64(len(data))
		_ = o.file.Truncate(o.at) // a full disk; a piece of a frame is never read as one
		return
	}
	o.at += int64(len(frame))
}

// end closes the file and says how much of what was written last is missing.
func (o *Output) end() (dropped int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped, o.file.Close()
}
