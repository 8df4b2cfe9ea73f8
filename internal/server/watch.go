package server

import (
	"context"
	"sync"
	"time"

	"ambit.dev/ambit/internal/store"
)

// How often it is looked whether the store was changed, for all streams of questions
// together, and how often it is read where nothing says that it was: whose launcher was
// killed has nobody to write that down.
const (
	lookEvery = 100 * time.Millisecond
	readEvery = time.Second
)

// watched are the questions of everybody, as all streams are told of them: one look for
// all, and none where nobody watches.
type watched struct {
	read  func(context.Context) ([]store.Approval, error)
	stamp func(context.Context) (string, error)

	mu      sync.Mutex
	streams int                // guarded by mu
	end     context.CancelFunc // guarded by mu; of the one that looks
	now     seen               // guarded by mu
	next    chan struct{}      // guarded by mu; closed when there is a later one
}

// seen is what was read last.
type seen struct {
	all []store.Approval // nobody changes it
	err error
}

// join begins to watch; leave ends it.
func (w *watched) join(ctx context.Context) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams++; w.streams == 1 {
		var looks context.Context
		looks, w.end = context.WithCancel(context.WithoutCancel(ctx))
		w.next = make(chan struct{})
		go w.look(looks, w.next)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.streams--; w.streams == 0 {
			w.end()
		}
	}
}

// later returns what was read last, and what is closed when something was read since.
func (w *watched) later() (seen, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.next
}

// look reads when the store was changed, until nobody watches.
func (w *watched) look(ctx context.Context, next chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var stamp string
	var read time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		was, err := w.stamp(ctx) // before it is read: what changes since is seen next time
		if err == nil && was != "" && was == stamp && time.Since(read) < readEvery {
			continue
		}
		stamp, read = was, time.Now()
		var s seen
		s.all, s.err = w.read(ctx)
		w.mu.Lock()
		if w.next != next { // others watch now, and somebody else looks for them
			w.mu.Unlock()
			return
		}
		w.now, w.next = s, make(chan struct{})
		close(next)
		next = w.next
		w.mu.Unlock()
	}
}
