package server

import (
	"context"
	"slices"
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
	read  func(ctx context.Context, stamp string) ([]store.Approval, error)
	stamp func(context.Context) (string, error)

	mu      sync.Mutex
	streams int                // guarded by mu
	end     context.CancelFunc // guarded by mu; of the one that looks
	now     seen               // guarded by mu
	next    chan struct{}      // guarded by mu; closed when there is a later one
	current bool               // guarded by mu; now was read since next was first made
	over    []string           // guarded by mu; answered here, which a read that goes on may not have seen
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
		w.next, w.current, w.over = make(chan struct{}), false, nil
		go w.look(looks)
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

// answered tells all streams at once that a question was answered by this host. It is not
// looked for: with many questions reading them all takes as long as it does to wait for that.
func (w *watched) answered(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams == 0 {
		return
	}
	if w.over = append(w.over, id); w.current {
		w.tell(w.now)
	}
}

// tell is called with the lock held.
func (w *watched) tell(s seen) {
	if len(w.over) > 0 {
		s.all = slices.DeleteFunc(slices.Clone(s.all), func(q store.Approval) bool { return slices.Contains(w.over, q.ID) })
	}
	close(w.next)
	w.now, w.next, w.current = s, make(chan struct{}), true
}

// look reads when the store was changed, until nobody watches.
func (w *watched) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var stamp string
	var read time.Time
	for first := true; ; first = false {
		if !first { // the one who watches reads, too: together that is once
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		before := w.answers()
		was, err := w.stamp(ctx) // before it is read: what changes since is seen next time
		if err == nil && was != "" && was == stamp && time.Since(read) < readEvery {
			continue
		}
		if err != nil {
			was = ""
		}
		stamp, read = was, time.Now()
		var s seen
		s.all, s.err = w.read(ctx, was)
		if !w.found(ctx, s, before) {
			return
		}
	}
}

// answers is how many answers a read that begins now has seen.
func (w *watched) answers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.over)
}

// found tells all streams what was read after some answers. It is false where others watch
// now, for whom somebody else looks.
func (w *watched) found(ctx context.Context, s seen, answers int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	w.over = w.over[answers:]
	w.tell(s)
	return true
}
