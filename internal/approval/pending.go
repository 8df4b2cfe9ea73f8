package approval

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/grant"
)

// pollEvery is how often the queue is looked at while a question is open.
const pollEvery = 100 * time.Millisecond

// pollSurely is after how many looks at a stamp that stays the same the question is looked at
// all the same.
const pollSurely = 20

// grace is how long fronts have to clear away a question that was answered
// elsewhere, before the program goes on and writes over it.
const grace = time.Second

// pending is a question that waits for its answer.
type pending struct {
	desk     *Desk
	q        Question
	withdraw context.CancelFunc
	covered  chan Answer // of another question, whose grant covers this one

	waiting  int  // guarded by desk.mu
	settling bool // guarded by desk.mu; it has an answer, which is being kept

	done   chan struct{} // closed when answer and err are there
	answer Answer
	err    error
}

// run puts the question and ends it.
func (o *pending) run(ctx context.Context) {
	lasting := context.WithoutCancel(ctx) // what a person said is kept, whoever has gone
	a, queued, err := o.put(ctx)
	withdrawn := err == nil && a.By == "" && ctx.Err() != nil
	if withdrawn {
		a = Answer{Question: o.q.ID, Capability: o.q.Capability, Text: "withdrawn: nobody waits for the answer any more"}
	} else {
		o.desk.mu.Lock()
		o.settling = true
		o.desk.mu.Unlock()
	}
	if queued {
		a, err = o.close(lasting, a)
	}
	if err == nil && a.By != "" && a.Question == o.q.ID && o.desk.cfg.Keep != nil {
		if err = o.desk.cfg.Keep(lasting, o.q, a); err != nil {
			err = fmt.Errorf("the answer could not be kept: %w", err)
		}
	}
	if err != nil {
		a = Answer{}
	}
	o.desk.finish(o, a, err, withdrawn && a.By == "")
}

// close ends the question in the queue, where another process may have been
// faster: that answer stands.
func (o *pending) close(ctx context.Context, a Answer) (Answer, error) {
	now := o.desk.cfg.Now()
	earlier, answered, err := o.desk.cfg.Queue.Close(ctx, o.q.ID, a, now)
	if err != nil {
		return Answer{}, fmt.Errorf("the question could not be closed: %w", err)
	}
	if !answered {
		return a, nil
	}
	if earlier, err = o.q.Fit(earlier, now); err != nil {
		return Answer{}, fmt.Errorf("the answer in the queue: %w", err)
	}
	return earlier, nil
}

// put shows the question to everybody and returns the first answer. queued says
// that it has to be closed in the queue.
func (o *pending) put(ctx context.Context) (a Answer, queued bool, err error) {
	cfg := o.desk.cfg
	fronts := cfg.Fronts
	if cfg.Queue != nil {
		if err := cfg.Queue.Put(ctx, o.q); err != nil {
			return Answer{}, false, fmt.Errorf("the question could not be queued: %w", err)
		}
		fronts = append([]Front{poll{cfg.Queue}}, fronts...)
	}
	asking, end := context.WithCancel(ctx)
	said := make(chan said, len(fronts))
	var asked sync.WaitGroup
	for _, f := range fronts {
		asked.Go(func() { said <- o.ask(asking, f) })
	}
	a = o.first(ctx, said, len(fronts))
	end()
	cleared := make(chan struct{})
	o.desk.running.Go(func() {
		asked.Wait()
		close(cleared)
	})
	select {
	case <-cleared:
	case <-time.After(grace):
	}
	return a, cfg.Queue != nil, nil
}

// said is what came of one front.
type said struct {
	front  string
	answer Answer
	err    error
}

func (o *pending) ask(ctx context.Context, f Front) said {
	a, err := f.Ask(ctx, o.q)
	if err == nil {
		a, err = o.q.Fit(a, o.desk.cfg.Now())
	}
	if a.By == "" {
		a.By = f.Name()
	}
	return said{f.Name(), a, err}
}

// first returns the first answer of n fronts. Its By is empty if nobody
// answered.
func (o *pending) first(ctx context.Context, said <-chan said, n int) Answer {
	none := Answer{Question: o.q.ID, Capability: o.q.Capability}
	timeout := time.NewTimer(o.desk.cfg.Timeout)
	defer timeout.Stop()
	for range n {
		select {
		case s := <-said:
			if s.err == nil {
				return s.answer
			}
			if ctx.Err() != nil {
				return none
			}
			none.Text = "nobody can be asked: " + s.err.Error()
			if o.desk.cfg.Failed != nil {
				o.desk.cfg.Failed(s.front, s.err)
			}
		case a := <-o.covered:
			return a
		case <-timeout.C:
			none.Text = "nobody answered within " + o.desk.cfg.Timeout.String()
			return none
		case <-ctx.Done():
			return none
		}
	}
	return none
}

// poll is the front that looks whether another process has answered.
type poll struct{ queue Queue }

func (poll) Name() string { return "the queue" }

func (p poll) Ask(ctx context.Context, q Question) (Answer, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	stamper, _ := p.queue.(Stamper)
	last := ""
	for looks := 0; ; looks++ {
		select {
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		case <-tick.C:
		}
		if stamper != nil {
			// Before the question is looked at: what is changed after it has another one.
			stamp := stamper.Stamp()
			if stamp != "" && stamp == last && looks%pollSurely != 0 {
				continue
			}
			last = stamp
		}
		if a, ok, err := p.queue.Answer(ctx, q.ID); ok || err != nil {
			return a, err
		}
	}
}

// Allowed reports whether a grants something.
func (a Answer) Allowed() bool { return a.Outcome == grant.Allow }
