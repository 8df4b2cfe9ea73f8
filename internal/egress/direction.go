//go:build linux

package egress

import (
	"errors"
	"sync/atomic"

	"ambit.dev/ambit/internal/workers"
)

// errWait says that a step has nothing to do until it is woken.
var errWait = errors.New("wait")

// A direction is one half of a pipe. It takes part of a pool's goroutines only
// while its step has something to do.
type direction struct {
	pool   *workers.Pool
	poller *poller
	run    func() // its turn, for the pool
	step   func() (more bool, err error)
	over   func(err error) // called once, at the end
	state  atomic.Uint32
}

// steps is how many a direction takes before others have their turn: some tenths
// of a millisecond.
const steps = 8

func (d *direction) init(p *workers.Pool, o *poller, step func() (bool, error), over func(error)) {
	d.pool, d.poller, d.run, d.step, d.over = p, o, d.turn, step, over
}

// The states of a direction.
const (
	asleep uint32 = iota
	awake
	wokenAgain // while it was awake: what made the step wait may be over
	finished
)

// wake has the step tried again. It may be called from anywhere and does not
// wait.
func (d *direction) wake() {
	for {
		switch d.state.Load() {
		case asleep:
			if d.state.CompareAndSwap(asleep, awake) {
				d.pool.Do(d.run)
				return
			}
		case awake:
			if d.state.CompareAndSwap(awake, wokenAgain) {
				return
			}
		default:
			return
		}
	}
}

func (d *direction) turn() {
	for range steps {
		more, err := d.step()
		switch {
		case !more:
			d.state.Store(finished)
			d.over(err)
			return
		case err == nil:
			continue
		case d.state.CompareAndSwap(awake, asleep):
			return
		}
		d.state.Store(awake) // it was woken meanwhile
	}
	d.poller.later(d)
}
