package approval

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// maxRemembered bounds the denials that are remembered. One that is forgotten
// is asked again.
const maxRemembered = 10_000

// Desk asks people. It is made by New and safe for concurrent use.
type Desk struct {
	cfg     Config
	running sync.WaitGroup // one for each open question

	mu     sync.Mutex
	open   map[key]*pending       // guarded by mu
	denied map[key]Answer         // guarded by mu
	asked  map[string][]time.Time // guarded by mu; the latest questions of each session
	ended  int                    // guarded by mu; counts questions that have ended
}

// key tells equal questions: the same right for the same pack in one session,
// whichever of its processes asks.
type key struct {
	session, principal, pack string
	capability               capability.Capability
}

func (q Question) key() key { return key{q.Session, q.Principal, q.Pack, q.Capability} }

// New returns a desk.
func New(cfg Config) *Desk {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rate.PerMinute == 0 {
		cfg.Rate.PerMinute = DefaultPerMinute
	}
	if cfg.Rate.Open == 0 {
		cfg.Rate.Open = DefaultOpen
	}
	return &Desk{cfg: cfg, open: map[key]*pending{}, denied: map[key]Answer{}, asked: map[string][]time.Time{}}
}

// Ask puts q to people, or joins an equal question, and waits for the answer. An
// error comes with the zero Answer: ctx has ended, or the question could not be
// put or its answer not be kept.
func (d *Desk) Ask(ctx context.Context, q Question) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	if err := q.check(); err != nil {
		return Answer{}, err
	}
	o, a := d.join(ctx, q)
	if o == nil {
		return a, nil
	}
	select {
	case <-o.done:
		return o.answer, o.err
	case <-ctx.Done():
		d.leave(o)
		return Answer{}, ctx.Err()
	}
}

// Wait returns when no question is open any more and nothing of it goes on. Who
// calls it has ended the contexts of all who ask, or waits for people.
func (d *Desk) Wait() { d.running.Wait() }

// join returns the open question that q is, putting it if it is a new one; or,
// if nobody is to be asked, the answer.
func (d *Desk) join(ctx context.Context, q Question) (*pending, Answer) {
	for {
		o, a, ended := d.known(q)
		if o != nil || a.Question != "" {
			return o, a
		}
		// Whoever asks decided before that it has to ask. If an equal question was
		// answered since, its grant is there by now.
		if d.cfg.Settled != nil {
			if a, ok := d.cfg.Settled(ctx, q); ok {
				a.Question = q.ID
				return nil, a
			}
		}
		if o, a, ok := d.put(ctx, q, ended); ok {
			return o, a
		}
	}
}

// known returns what there is of q already, and how many questions have ended.
func (d *Desk) known(q Question) (*pending, Answer, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.denied[q.key()]; ok {
		return nil, a, d.ended
	}
	o := d.open[q.key()]
	if o != nil {
		o.waiting++
	}
	return o, Answer{}, d.ended
}

// put puts a new question, or answers that nobody is asked. It does neither, and
// ok is false, if something has changed since so many questions had ended.
func (d *Desk) put(ctx context.Context, q Question, ended int) (o *pending, a Answer, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended != ended || d.open[q.key()] != nil {
		return nil, Answer{}, false
	}
	now := d.cfg.Now()
	if text, busy := d.refuse(q.Session, now); text != "" {
		return nil, Answer{Question: q.ID, Capability: q.Capability, Text: text, Busy: busy}, true
	}
	d.asked[q.Session] = append(d.asked[q.Session], now)
	q.Asked, q.Expires = now, now.Add(d.cfg.Timeout)
	// A question outlives who asked first, if others have joined.
	ctx, withdraw := context.WithCancel(context.WithoutCancel(ctx))
	o = &pending{desk: d, q: q, waiting: 1, withdraw: withdraw, covered: make(chan Answer, 1), done: make(chan struct{})}
	d.open[q.key()] = o
	d.running.Go(func() { o.run(ctx) })
	return o, Answer{}, true
}

// refuse says why nobody is asked a new question of a session, "" if somebody
// is, and whether that is for now only. It is called with mu held.
func (d *Desk) refuse(session string, now time.Time) (text string, busy bool) {
	switch {
	case len(d.cfg.Fronts) == 0 && d.cfg.Queue == nil:
		return "nobody can be asked", false
	case d.cfg.Timeout <= 0:
		return "nobody is asked: the time to answer is 0", false
	}
	open := 0
	for k := range d.open {
		if k.session == session {
			open++
		}
	}
	if open >= d.cfg.Rate.Open {
		return fmt.Sprintf("not asked: %d questions are open, and no more are put", open), true
	}
	recent := slices.DeleteFunc(d.asked[session], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if d.asked[session] = recent; len(recent) >= d.cfg.Rate.PerMinute {
		return fmt.Sprintf("not asked: more than %d questions in a minute", d.cfg.Rate.PerMinute), true
	}
	return "", false
}

// leave notes that one who waited for o has gone. The last one withdraws it.
func (d *Desk) leave(o *pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.waiting--; o.waiting > 0 || o.settling {
		return
	}
	o.withdraw()
	if k := o.q.key(); d.open[k] == o { // who asks from now on puts a new question
		delete(d.open, k)
	}
}

// finish ends o with an answer and tells all who wait. An answer that a grant
// was made of answers the other open questions that it covers.
func (d *Desk) finish(o *pending, a Answer, err error, withdrawn bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended++
	k := o.q.key()
	if d.open[k] == o {
		delete(d.open, k)
	}
	if err == nil && a.Outcome != grant.Allow && !withdrawn {
		d.remember(k, a)
	}
	if err == nil && a.By != "" && a.Question == o.q.ID {
		for other, waiting := range d.open {
			if k.session == other.session && k.principal == other.principal && k.pack == other.pack && speaks(a, other.capability) {
				select {
				case waiting.covered <- a:
				default: // it has an answer
				}
			}
		}
	}
	o.answer, o.err = a, err
	close(o.done)
	o.withdraw()
}

// speaks reports whether an answer, once it is a grant, decides about c.
func speaks(a Answer, c capability.Capability) bool {
	if a.Outcome == grant.Allow {
		return gives(a.Capability, c)
	}
	// A denial for once is about its own question only.
	return a.Span != grant.Once && slices.ContainsFunc(c.Parts(), a.Capability.Covers)
}

// remember keeps a denial for the session. It is called with mu held.
func (d *Desk) remember(k key, a Answer) {
	if len(d.denied) >= maxRemembered {
		for old := range d.denied {
			delete(d.denied, old)
			break
		}
	}
	d.denied[k] = a
}
