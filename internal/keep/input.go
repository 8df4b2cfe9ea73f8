package keep

import (
	"errors"
	"sync"
	"time"
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
	// answerWithin is how long who answers for a terminal has for it, while another would.
	answerWithin = 300 * time.Millisecond
)

// What input can fail by, beside the connection.
var (
	ErrGap      = errors.New("what was typed before is missing")
	ErrWriters  = errors.New("too many have typed here")
	ErrTooLong  = errors.New("it is too long")
	ErrOver     = errors.New("it has ended")
	ErrTerminal = errors.New("it has no terminal")
)

// A stroke is something that is typed: by somebody, or as the answer of a terminal.
type stroke struct {
	writer string
	offset int64 // of what this writer types
	data   []byte
	asked  int64 // an answer: the end of the output in which a program asked; 0: none
}

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

	answers  string    // guarded by mu; the writer who answers programs that ask; "": nobody yet
	answered int64     // guarded by mu; the newest output that it has answered
	owed     time.Time // guarded by mu; since when another has an answer, and it has none
}

func newInput() *input {
	in := &input{next: map[string]int64{}}
	in.came.L = &in.mu
	return in
}

// put takes what there is room for of a piece, and says up to where the writer's
// input has been taken.
func (in *input) put(p stroke, now time.Time) (next int64, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	next, known := in.next[p.writer]
	switch {
	case in.over:
		return next, ErrOver
	case len(p.data) > MaxPiece || len(p.writer) > maxWriter:
		return next, ErrTooLong
	case p.offset < 0 || p.offset > next:
		return next, ErrGap
	case !known && len(in.next) >= maxWriters:
		return next, ErrWriters
	}
	data := p.data[min(int64(len(p.data)), next-p.offset):]
	n := min(len(data), MaxInput-len(in.waiting))
	taken := data[:n]
	if p.asked != 0 {
		own, later := in.answer(p, now)
		switch {
		case later, own && n < len(data): // an answer is typed whole
			n, taken = 0, nil
		case !own:
			n, taken = len(data), nil
		}
	}
	in.waiting = append(in.waiting, taken...)
	in.next[p.writer] = next + int64(n)
	in.came.Signal()
	return next + int64(n), nil
}

// answer says whether an answer is typed, or only later, if nobody else does it by then.
// Who answers goes on to: what a terminal says depends on its size, and terminals of one
// program may differ in that. Who is gone does not answer, and the next one does.
//
// A program is answered once: each answers in the order in which it was asked, and what
// was answered is answered by nobody else (TestAnswered). in.mu is held.
func (in *input) answer(p stroke, now time.Time) (own, later bool) {
	switch {
	case p.writer == in.answers:
	case p.asked <= in.answered:
		return false, false
	case in.answers == "":
	case in.owed.IsZero():
		in.owed = now
		return false, true
	case now.Sub(in.owed) < answerWithin:
		return false, true
	}
	in.answers, in.answered, in.owed = p.writer, max(p.asked, in.answered), time.Time{}
	return true, false
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
