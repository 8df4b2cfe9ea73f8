package main

import (
	"fmt"
	"sync"
	"time"

	"ambit.dev/ambit/internal/egress/wire"
)

// wants are what the launcher wants of the egress process, by their numbers. The
// zero value has none.
type wants struct {
	mu   sync.Mutex
	last uint64                       // guarded by mu
	open map[uint64]chan wire.Message // guarded by mu
}

// wantTime is how long the egress process has for an answer.
const wantTime = 5 * time.Second

// maxAnswers bounds the messages of one answer: more flows than that it cannot have.
const maxAnswers = 1024

// begin numbers a want; its answers come by the channel until done is called.
func (w *wants) begin() (id uint64, answers <-chan wire.Message, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	id = w.last
	c := make(chan wire.Message, maxAnswers)
	if w.open == nil {
		w.open = map[uint64]chan wire.Message{}
	}
	w.open[id] = c
	return id, c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, id)
	}
}

// answer hands an answer on; one that nobody waits for is lost.
func (w *wants) answer(m wire.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.open[m.ID] <- m:
	default: // nobody waits, or it says more than there can be
	}
}

// want sends a message and hands its answers to take, until that says that there
// are no more.
func (n *network) want(m wire.Message, take func(wire.Message) (more bool)) error {
	if m.List && !n.running() {
		return nil // there was nothing yet
	}
	if err := n.begin(); err != nil {
		return err
	}
	id, answers, done := n.wants.begin()
	defer done()
	m.ID = id
	if err := n.conn.Send(m); err != nil {
		return fmt.Errorf("ask %s: %w", egressProgram, err)
	}
	late := time.After(wantTime)
	for {
		select {
		case answer := <-answers:
			if !take(answer) {
				return nil
			}
		case <-n.ended:
			return fmt.Errorf("%s has ended", egressProgram)
		case <-late:
			return fmt.Errorf("%s does not answer", egressProgram)
		}
	}
}
