package request

import (
	"bufio"
	"errors"
	"sync"
	"time"
)

// A doing is what the goroutine of a talk does.
type doing int

const (
	reading doing = iota // what the program has to send, or nothing that needs a watch
	idle                 // it waits for a request
	heading              // it waits for the rest of a head
	busy                 // a request is decided, sent, answered; nobody reads from the program
)

// glance is how often a watch looks at a talk that does something.
const glance = 100 * time.Millisecond

// A watch ends a talk that waits too long for its program, and one whose program
// has gone while its request is under way. It looks now and then, as a timer or a
// reader for each request would cost more than the request does.
type watch struct {
	talk *talk

	mu       sync.Mutex
	doing    doing         // guarded by mu
	seen     time.Time     // that it does so; zero: not yet; guarded by mu
	timer    *time.Timer   // guarded by mu
	soon     bool          // the timer will look within a glance; guarded by mu
	listener chan struct{} // closed when the one who listens to the program has ended; nil: nobody does; guarded by mu
}

func (w *watch) begin(t *talk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.talk, w.soon = t, true
	w.timer = time.AfterFunc(glance, w.look)
}

// end ends the watch. Nobody listens any more.
func (w *watch) end() {
	w.quiet()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
}

// turn notes what is done from now on.
func (w *watch) turn(to doing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doing, w.seen = to, time.Time{} // reading the clock each time would show
	if to != idle && !w.soon {
		w.soon = true
		w.timer.Reset(glance)
	}
}

// look looks whether something takes too long.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	if w.seen.IsZero() {
		w.seen, w.soon = time.Now(), true
		w.timer.Reset(glance)
		return
	}
	passed, next := time.Since(w.seen), glance
	switch w.doing {
	case idle:
		if next = idleTime - passed; next <= 0 {
			_ = w.talk.conn.Close() // whoever reads hears of it
			return
		}
	case heading:
		if passed >= headerTime {
			_ = w.talk.conn.Close() // whoever reads hears of it
			return
		}
	case busy:
		if w.listener == nil {
			w.listener = make(chan struct{})
			go w.listen(w.listener)
		}
	case reading:
	}
	w.soon = next <= glance
	w.timer.Reset(next)
}

// listen ends the talk when the program is gone. What it says meanwhile is left for
// later, and then nobody listens any more.
func (w *watch) listen(done chan struct{}) {
	defer close(done)
	_, err := w.talk.in.Peek(w.talk.in.Buffered() + 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.doing == busy && !errors.Is(err, bufio.ErrBufferFull) {
		_ = w.talk.conn.Close() // and with it what goes on for it
	}
}

// quiet ends who listens, and returns when the program's words are the talk's again.
func (w *watch) quiet() {
	w.mu.Lock()
	w.doing = reading
	done := w.listener
	w.listener = nil
	w.mu.Unlock()
	if done == nil {
		return
	}
	_ = w.talk.c.SetReadDeadline(time.Unix(1, 0)) // where it is closed nobody reads
	<-done
	_ = w.talk.c.SetReadDeadline(time.Time{})
}
