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
	mu  sync.Mutex
	all map[beginning]*begun // guarded by mu
}

// A beginning is the number of a flow, or of a request's use of an answer.
type beginning struct{ flow, use uint64 }

type begun struct {
	timer *time.Timer
	told  bool
}

// begin has a beginning told after a while, unless it has ended by then.
func (b *beginnings) begin(of beginning, tell func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[beginning]*begun{}
	}
	x := &begun{}
	b.all[of] = x
	x.timer = time.AfterFunc(beginTime, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.all[of] == x {
			x.told = true
			tell()
		}
	})
}

// end forgets a beginning, and reports whether it was told.
func (b *beginnings) end(of beginning) (told bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.all[of]
	if x == nil {
		return false
	}
	x.timer.Stop()
	delete(b.all, of)
	return x.told
}
