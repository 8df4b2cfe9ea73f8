//go:build linux

package egress

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// maxPieces bounds the pieces of one call; a large packet is two.
const maxPieces = 64

// A hostWriter gathers what it is shown and writes it to a socket in one call, as
// much as that takes without waiting: each call wakes whoever receives.
//
// It is for a look (tcpip.ReadOptions.Peek): what it is shown stays where it is
// for as long as the connection is locked, which is until Write has returned an
// error. What was written has to be taken afterwards.
type hostWriter struct {
	fd      int
	want    int // write once that much is there
	pieces  [maxPieces][]byte
	n, size int
	written int
	full    bool
	err     error
}

var hostWriters = sync.Pool{New: func() any { return new(hostWriter) }}

// done gives it back, without what it was shown.
func (w *hostWriter) done() {
	clear(w.pieces[:w.n])
	w.n, w.size, w.written, w.full, w.err = 0, 0, 0, false, nil
	hostWriters.Put(w)
}

var errEnough = errors.New("that is enough")

func (w *hostWriter) Write(b []byte) (int, error) {
	w.pieces[w.n] = b
	w.n++
	w.size += len(b)
	if w.size < w.want && w.n < maxPieces {
		return len(b), nil
	}
	w.flush()
	return len(b), errEnough
}

func (w *hostWriter) flush() {
	for {
		n, err := unix.Writev(w.fd, w.pieces[:w.n])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			w.full = true
		case err != nil:
			w.err = err
		default:
			w.written, w.full = n, n < w.size
		}
		return
	}
}

// An eater takes that many bytes, to nowhere.
type eater int

func (e *eater) Write(b []byte) (int, error) {
	n := min(len(b), int(*e))
	*e -= eater(n)
	if n < len(b) {
		return n, errEnough
	}
	return n, nil
}
