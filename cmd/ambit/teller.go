package main

import (
	"sync"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// pause is how long a denial's line waits: the program that was denied is about
// to say so itself, in more than one write.
const pause = 30 * time.Millisecond

// A teller prints the lines of denials a little later than they happen, and
// all that are left when it is flushed. Their records do not wait.
type teller struct {
	say func(id string, d enforce.Denial)

	mu      sync.Mutex
	waiting []denied // guarded by mu
	timer   *time.Timer
}

type denied struct {
	id string
	d  enforce.Denial
}

func (t *teller) tell(id string, d enforce.Denial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, denied{id, d})
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
	for _, w := range t.waiting {
		t.say(w.id, w.d)
	}
	t.waiting = nil
}
