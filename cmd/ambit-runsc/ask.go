//go:build linux

package main

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

const (
	// mostAsked bounds the calls that wait at one time; further ones are refused.
	mostAsked = 1000
	// patience is how often it is looked whether who waits is still there.
	patience = 200 * time.Millisecond
	// mostUnclaimed is how often an answer is found that nobody has taken: its call was
	// made anew and met what somebody else was answered, or is made no more.
	mostUnclaimed = 25
)

// asks puts the questions of the sandbox's kernel to the launcher.
type asks struct {
	line int // descriptor
	hear sync.Once

	mu    sync.Mutex
	gone  bool              // guarded by mu: nobody answers
	last  uint64            // guarded by mu: number of the last question
	put   map[uint64]*waits // guarded by mu: what was not answered, by its number
	known map[same]*waits   // guarded by mu: what somebody waits for
}

// same tells a call that is made anew from another one.
type same struct {
	task                     *kernel.Task
	want, dir, name          string
	entry, makes, link, list bool
}

// waits is a question, and who waits for its answer.
type waits struct {
	id    uint64
	as    same
	done  chan struct{} // closed when told is valid
	told  wire.Told
	taken chan struct{} // closed when nobody waits for it any more
}

// ask waits for the answer to a question. Where a signal comes, or the sandbox is
// paused, it says that the call is to be made anew, which finds its question again.
func (a *asks) ask(t *kernel.Task, q wire.Question) (wire.Told, error) {
	a.hear.Do(func() { go a.listen() })
	as := same{t, q.Want, string(q.Dir), string(q.Name), q.Entry, q.Makes, q.Link, q.List}
	w := a.begin(as, q)
	if w == nil {
		return wire.Told{}, linuxerr.EACCES
	}
	if t.Block(w.done) != nil {
		return wire.Told{}, linuxerr.ERESTARTNOINTR
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, as)
	close(w.taken)
	return w.told, nil
}

// begin puts a question, or finds it; nil: nobody can be asked.
func (a *asks) begin(as same, q wire.Question) *waits {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.known[as]; w != nil {
		return w
	}
	if a.gone || len(a.known) >= mostAsked {
		return nil
	}
	a.last++
	q.ID = a.last
	if !a.send(q) {
		return nil
	}
	w := &waits{id: q.ID, as: as, done: make(chan struct{}), taken: make(chan struct{})}
	a.put[w.id], a.known[as] = w, w
	go a.watch(w)
	return w
}

// watch takes a question back when who asked is gone, and an answer that nobody takes.
func (a *asks) watch(w *waits) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for unclaimed := 0; ; {
		select {
		case <-w.taken:
			return
		case <-tick.C:
		}
		if w.answered() {
			unclaimed++
		}
		if w.as.task.ExitState() == kernel.TaskExitNone && unclaimed < mostUnclaimed {
			continue
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.known, w.as)
		if a.put[w.id] != nil {
			delete(a.put, w.id)
			a.send(wire.Question{ID: w.id, Want: wire.WantOver})
		}
		return
	}
}

// listen takes answers until the launcher is gone.
func (a *asks) listen() {
	for {
		var told wire.Told
		err := wire.Asked(func(b []byte) (int, error) { return unix.Read(a.line, b) }, &told)
		a.mu.Lock()
		if err != nil {
			a.gone = true
			for id, w := range a.put {
				w.answer(wire.Told{ID: id, Errno: unix.EACCES})
			}
			clear(a.put)
			a.mu.Unlock()
			return
		}
		if w := a.put[told.ID]; w != nil {
			delete(a.put, told.ID)
			w.answer(told)
		}
		a.mu.Unlock()
	}
}

func (w *waits) answer(told wire.Told) {
	w.told = told
	close(w.done)
}

func (w *waits) answered() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// send writes a question. The sentry's filter lets it write, to any descriptor.
func (a *asks) send(q wire.Question) bool {
	text, err := wire.Ask(q)
	if err != nil {
		return false
	}
	for {
		if _, err = unix.Write(a.line, text); !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}
