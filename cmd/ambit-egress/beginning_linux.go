package main

import (
	"sync"
	"time"
)

// beginTime is how long the launcher does not hear of what has begun on an answer
// that was given before: most of it has ended by then, and is told of once.
const beginTime = 50 * time.Millisecond

// beginnings are the flows and requests that have begun without a decision of
// their own, until they have ended. So what goes on for long is in the log while it
// does, and not only if somebody lives to tell of its end.
type beginnings struct {
	mu    sync.Mutex
	all   map[beginning]begun // guarded by mu
	timer *time.Timer         // guarded by mu; one for all: most of them have ended before it looks
	armed bool                // guarded by mu
}

// A beginning is the number of a flow, or of a request's use of an answer.
type beginning struct{ flow, use uint64 }

type begun struct {
	at   time.Time
	tell func() // nil: it was called
}

// begin has a beginning told after a while, unless it has ended by then.
func (b *beginnings) begin(of beginning, tell func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[beginning]begun{}
	}
	b.all[of] = begun{time.Now(), tell}
	b.arm(beginTime)
}

// arm has somebody look after a while, if nobody does before. The mutex is held.
func (b *beginnings) arm(in time.Duration) {
	switch {
	case b.armed:
	case b.timer == nil:
		b.timer = time.AfterFunc(in, b.look)
	default:
		b.timer.Reset(in)
	}
	b.armed = true
}

// look tells of what has begun a while ago.
func (b *beginnings) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	now, next := time.Now(), time.Duration(0)
	for of, x := range b.all {
		left := beginTime - now.Sub(x.at)
		switch {
		case x.tell == nil:
		case left <= 0:
			b.all[of] = begun{at: x.at}
			x.tell()
		case next == 0 || left < next:
			next = left
		}
	}
	if next > 0 {
		b.arm(next)
	}
}

// end forgets a beginning, and reports whether it was told.
func (b *beginnings) end(of beginning) (told bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.all[of]
	delete(b.all, of)
	return ok && x.tell == nil
}
