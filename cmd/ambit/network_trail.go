package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/gate"
)

// A trail writes the records of one network. Decisions are durable when Append
// returns. What has ended (flows, requests) waits a moment for the next decision
// and becomes durable with it: otherwise a program that connects again and again
// would wait for the disk twice each time, for its last connection as well.
//
// Nothing begins because of a record that waits, and none is lost unless the
// launcher or the machine is: close writes what is left.
type trail struct {
	log gate.Recorder
	ctx context.Context // of the session: what waits is written by a timer
	// fail is told that what had waited could not be written.
	fail func(error)

	writing sync.Mutex // held while what waited is written by itself

	mu      sync.Mutex
	waiting []audit.Record // guarded by mu
	most    int            // that waited lately, which there will be room for at once; guarded by mu
	timer   *time.Timer    // guarded by mu; nil until something has waited
}

var _ gate.Recorder = (*trail)(nil)

// How long a record waits, and how many.
const (
	trailPause = 20 * time.Millisecond
	maxTrail   = 256
)

// Append makes records durable, and with them what waits.
func (t *trail) Append(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	ended := t.take()
	done, err := t.log.Append(ctx, slices.Concat(records, ended)...)
	if err != nil {
		t.later(ended...)
		return nil, err
	}
	return done[:min(len(done), len(records))], nil
}

// add takes a record of what has ended. It waits for the disk only where many
// others do already.
func (t *trail) add(r audit.Record) error {
	if t.later(r) < maxTrail {
		return nil
	}
	return t.flush()
}

// later has records wait, and returns how many do.
func (t *trail) later(records ...audit.Record) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.waiting) > 0 || len(records) == 0:
	case t.timer == nil:
		t.timer = time.AfterFunc(trailPause, func() {
			if err := t.flush(); err != nil {
				t.fail(err)
			}
		})
	default:
		t.timer.Reset(trailPause)
	}
	if t.waiting == nil {
		t.waiting = make([]audit.Record, 0, max(t.most, len(records)))
	}
	t.waiting = append(t.waiting, records...)
	return len(t.waiting)
}

func (t *trail) take() []audit.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.waiting
	t.waiting, t.most = nil, len(taken)
	if t.timer != nil {
		t.timer.Stop()
	}
	return taken
}

// flush writes what waits now, and returns when nothing is being written.
func (t *trail) flush() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	records := t.take()
	if len(records) == 0 {
		return nil
	}
	_, err := t.log.Append(t.ctx, records...)
	return err
}
