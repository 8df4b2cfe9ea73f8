//go:build linux

package egress

import (
	"context"
	"errors"
	"sync"
)

var errTooMany = errors.New("too many connections wait for an answer")

// questions has those that are open, and counts who waits for them.
type questions struct {
	mu      sync.Mutex
	open    map[string]*question // guarded by mu
	waiting int                  // guarded by mu
}

// A question is one question for all who wait for the same.
type question struct {
	waiting  int // guarded by the mutex of questions
	withdraw context.CancelFunc
	done     chan struct{}
	err      error // set before done is closed
}

func (s *questions) init() { s.open = map[string]*question{} }

// ask waits for the answer to a question: to an equal one that is open, or to
// this one. When nobody waits any more the question is withdrawn.
func (p *Plane) ask(ctx context.Context, text Question) error {
	key := text.Request.Capability.String() + "\x00" + text.Request.Subject.Program
	s := &p.questions
	s.mu.Lock()
	if s.waiting >= p.lim.Asking {
		s.mu.Unlock()
		return errTooMany
	}
	q := s.open[key]
	if q == nil {
		q = p.open(key, text)
	}
	q.waiting++
	s.waiting++
	s.mu.Unlock()
	defer s.leave(key, q)
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open puts a question. The mutex of questions is held.
func (p *Plane) open(key string, text Question) *question {
	ctx, cancel := context.WithCancel(p.ctx)
	q := &question{withdraw: cancel, done: make(chan struct{}), err: errStopped}
	s := &p.questions
	s.open[key] = q
	p.work.run(func() {
		defer close(q.done)
		defer cancel()
		q.err = p.cfg.Asker.Ask(ctx, text)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[key] == q {
			delete(s.open, key)
		}
	})
	return q
}

func (s *questions) leave(key string, q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	if q.waiting--; q.waiting > 0 {
		return
	}
	q.withdraw()
	if s.open[key] == q {
		delete(s.open, key)
	}
}
