package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/approval"
)

const (
	lookEvery = 300 * time.Millisecond // how often a terminal that others use is looked at
	nudgeTime = 60 * time.Millisecond  // for programs to see that the size has changed
)

var (
	errGone      = errors.New("the terminal is gone")
	errEnds      = errors.New("ambit was told to end")
	errSuspended = errors.New("stopped for a while") // and then asked again
)

// Ask asks on the terminal. Questions come one after the other. While others
// have the terminal (the job is in the background, a pager reads the keys) a
// line says where the question can be answered, and it is asked when they leave.
func (f *Front) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	if len(q.Offers) == 0 {
		return approval.Answer{}, errors.New("internal error: a question without an offer")
	}
	f.queue.Add(1)
	defer f.queue.Add(-1)
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return approval.Answer{}, ctx.Err()
	}
	defer func() { <-f.turn }()
	told := false
	for {
		t, err := openTTY(f.cfg.Path)
		if err != nil {
			return approval.Answer{}, err
		}
		err = f.await(ctx, t, q, &told)
		var a approval.Answer
		if err == nil {
			a, err = f.sit(ctx, t, q)
		}
		t.close()
		if !errors.Is(err, errSuspended) {
			return a, err
		}
	}
}

// await returns when the terminal is ours to take.
func (f *Front) await(ctx context.Context, t *tty, q approval.Question, told *bool) error {
	for {
		who, err := t.busy()
		if who == "" || err != nil {
			return err
		}
		if !*told {
			*told = true
			line := fmt.Sprintf("\r\nambit: %s waits for an answer, but %s has the terminal: ambit approve %s\r\n",
				fit(shown(q.Who()), 60), fit(shown(who), 40), shown(q.ID))
			if err := t.write(line); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// sit stops the program, asks, puts the terminal back, and lets the program go
// on, in this order, however it ends.
func (f *Front) sit(ctx context.Context, t *tty, q approval.Question) (a approval.Answer, err error) {
	sigs := catch()
	defer sigs.close()
	v, a, err := f.hold(ctx, t, q, sigs)
	if v == suspend {
		sigs.stopSelf(errors.Is(err, errStopKey))
		return approval.Answer{}, errSuspended
	}
	if v == interrupt && err == nil {
		f.cfg.Interrupt()
	}
	return a, err
}

// errStopKey says that it was the key, which stops the job as a whole.
var errStopKey = errors.New("the stop key")

// hold has the program stopped and the terminal taken while it asks.
func (f *Front) hold(ctx context.Context, t *tty, q approval.Question, sigs *signals) (v verdict, a approval.Answer, err error) {
	resume, err := f.cfg.Pause()
	if err != nil {
		return asking, a, fmt.Errorf("stop the program to ask about it: %w", err)
	}
	again := func() {}
	defer func() {
		resume()
		again()
	}()
	s, err := t.take(f.cfg.Lines)
	if err != nil {
		return asking, a, err
	}
	defer func() {
		s.give()
		again = f.redraw(t, s.over)
	}()
	d := &dialog{f: f, s: s, sheet: newSheet(q), sigs: sigs}
	return d.run(ctx)
}

// redraw prepares that programs draw themselves again once they go on.
func (f *Front) redraw(t *tty, over bool) (again func()) {
	if !over {
		return f.cfg.Redraw
	}
	back := t.nudge()
	return func() {
		f.cfg.Redraw()
		time.Sleep(nudgeTime)
		back()
		f.cfg.Redraw()
	}
}
