package keep

import (
	"errors"
	"sync"
)

// Bounds of what is typed.
const (
	// MaxPiece is the most that is sent at once.
	MaxPiece = 32 << 10
	// MaxInput is the most that waits for a program to read it.
	MaxInput = 64 << 10
	// maxWriters is how many may have typed into one terminal.
	maxWriters = 4096
	maxWriter  = 64 // bytes of a name
)

// What input can fail by, beside the connection.
var (
	ErrGap      = errors.New("what was typed before is missing")
	ErrWriters  = errors.New("too many have typed here")
	ErrTooLong  = errors.New("it is too long")
	ErrOver     = errors.New("it has ended")
	ErrTerminal = errors.New("it has no terminal")
)

// An input is what was typed and not read yet, with what each writer has typed. It
// is safe for concurrent use.
//
// Security: what was typed once is typed once, however often it is sent: a writer
// says where a piece begins, and what lies before its end is left out (TestTyped).
// It holds MaxInput and no more.
type input struct {
	mu      sync.Mutex
	came    sync.Cond        // something waits, or it is over
	waiting []byte           // guarded by mu
	next    map[string]int64 // guarded by mu; bytes taken of each writer
	over    bool             // guarded by mu
}

func newInput() *input {
	in := &input{next: map[string]int64{}}
	in.came.L = &in.mu
	return in
}

// put takes what there is room for of a piece, and says up to where the writer's
// input has been taken.
func (in *input) put(writer string, offset int64, data []byte) (next int64, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	next, known := in.next[writer]
	switch {
	case in.over:
		return next, ErrOver
	case len(data) > MaxPiece || len(writer) > maxWriter:
		return next, ErrTooLong
	case offset < 0 || offset > next:
		return next, ErrGap
	case !known && len(in.next) >= maxWriters:
		return next, ErrWriters
	}
	data = data[min(int64(len(data)), next-offset):]
	n := min(len(data), MaxInput-len(in.waiting))
	in.waiting = append(in.waiting, data[:n]...)
	in.next[writer] = next + int64(n)
	in.came.Signal()
	return next + int64(n), nil
}

// take waits for what was typed, and is nil when there is no more.
func (in *input) take() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.waiting) == 0 && !in.over {
		in.came.Wait()
	}
	if in.over {
		return nil
	}
	const some = 1024 // what was taken does not count for MaxInput: little is
	n := min(len(in.waiting), some)
	piece := append([]byte(nil), in.waiting[:n]...)
	in.waiting = append(in.waiting[:0], in.waiting[n:]...)
	return piece
}

// end says that nobody reads any more.
func (in *input) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over = true
	in.came.Broadcast()
}
