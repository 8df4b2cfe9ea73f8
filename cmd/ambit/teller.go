package main

import (
	"sync"
	"time"
)

// pause is how long a denial's line waits: the program that was denied is about
// to say so itself, in more than one write.
const pause = 30 * time.Millisecond

// A teller prints the lines of denials a little later than they happen, and
// all that are left when it is flushed. Their records do not wait.
type teller struct {
	mu      sync.Mutex
	waiting []func() // guarded by mu
	held    int      // guarded by mu; questions that have the terminal
	timer   *time.Timer
}

func (t *teller) tell(say func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, say)
	if len(t.waiting) == 1 {
		t.timer = time.AfterFunc(pause, t.flush)
	}
}

func (t *teller) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.held > 0 {
		return
	}
	for _, say := range t.waiting {
		say()
	}
	t.waiting = nil
}

// hold keeps lines back until release.
func (t *teller) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held++
}

// release prints what was kept back.
func (t *teller) release() {
	t.mu.Lock()
	t.held--
	t.mu.Unlock()
	t.flush()
}
