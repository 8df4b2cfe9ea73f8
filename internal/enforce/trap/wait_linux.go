package trap

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

const (
	// maxWaiting bounds the calls that wait at one time, each with a goroutine
	// and at most one descriptor. Further ones are refused at once with EACCES.
	maxWaiting = 1024
	// retell is after how long the kernel is made to tell of an interrupted call
	// once more (hazard: it tells only once, and the next signal may be SIGKILL).
	retell = 50 * time.Millisecond
	// perWaiter stretches retell where many wait, so that looking at them all
	// stays a small part of one processor.
	perWaiter = 100 * time.Microsecond
)

// An answer is what a call that waited gets.
type answer struct {
	errno unix.Errno
	body  []byte
	// entered is the node that a lookup counted; uncounted when nobody takes the answer.
	entered *node
	// handle is a listing that was opened; dropped when nobody takes the answer.
	handle uint64
	// gone is a node whose name leads nowhere, or elsewhere: the kernel is to
	// forget the name.
	gone *node
}

// A waiter is a call that waits.
type waiter struct {
	thread int // as the kernel told it
	cancel context.CancelFunc
}

// A waiting is the set of calls that wait. Whoever takes a call out of it
// answers it, so each is answered once.
type waiting struct {
	all sync.WaitGroup // goroutines

	mu      sync.Mutex
	running int               // goroutines that have not returned; guarded by mu
	calls   map[uint64]waiter // by the request's number; guarded by mu
}

// add says false when too many wait.
func (w *waiting) add(unique uint64, c waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running >= maxWaiting {
		return false
	}
	w.running++
	w.all.Add(1)
	w.calls[unique] = c
	return true
}

// take says false when the call was taken before.
func (w *waiting) take(unique uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.calls[unique]
	delete(w.calls, unique)
	return ok
}

func (w *waiting) find(unique uint64) (waiter, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.calls[unique]
	return c, ok
}

// returned notes the end of a goroutine that add counted.
func (w *waiting) returned() {
	w.mu.Lock()
	w.running--
	w.mu.Unlock()
	w.all.Done()
}

func (w *waiting) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// A held request waits for work that may take long.
type held struct {
	unique uint64
	ctx    context.Context // ends when its caller dies or the connection ends
	cancel context.CancelFunc
	work   func(context.Context) answer
}

// hold has a request wait for work. It never waits itself.
func (s *server) hold(r fuse.Request, work func(context.Context) answer) {
	ctx, cancel := context.WithCancel(s.ctx)
	if !s.waiting.add(r.Unique, waiter{r.PID, cancel}) {
		cancel()
		s.reply(r, unix.EACCES, nil)
		return
	}
	s.held = &held{r.Unique, ctx, cancel, work}
}

// apart does what was held in a goroutine of its own.
func (s *server) apart(h *held) {
	go func() {
		for h != nil {
			h = s.finish(h)
		}
	}()
	// It begins here and at once, and another thread reads on: one that has to take it
	// away from this one sleeps first, a tenth of a millisecond (runtime.runqgrab).
	runtime.Gosched()
}

// finish does what was held and answers. Whoever is told to walk once more asks about each
// name on the way at once, and often touches what lies beside soon after: those requests are
// answered here, and the next touch is returned.
func (s *server) finish(h *held) *held {
	defer s.waiting.returned()
	defer h.cancel()
	a := h.work(h.ctx)
	if a.errno != unix.ESTALE || runtime.NumCPU() == 1 || !s.device.Claim() {
		s.deliver(h.unique, a)
		return nil
	}
	defer s.device.Release()
	s.deliver(h.unique, a)
	return s.attend()
}

// attended is for how long requests that follow a touch are looked for: some times what a
// program needs to wake up and to come to the next name. A thread that sleeps would be woken
// up for each, which takes many times as long as the answer.
const attended = 100 * time.Microsecond

// maxAttended bounds the requests that are answered so after one touch.
const maxAttended = 64

// attend answers requests for as long as one follows another, within the bound. It returns
// the first that has to wait. The device is claimed.
//
// Security: like Serve it waits for nobody, so the walks of all other processes go on. A
// program that asks for one name after the other has a processor busy here for no longer than
// what it touched is worth.
func (s *server) attend() *held {
	if s.after == nil {
		s.after = make([]byte, fuse.BufferSize)
	}
	answered := 0
	for begin := time.Now(); answered < maxAttended && time.Since(begin) < attended && s.ctx.Err() == nil; {
		n, err := s.device.Pending(s.after)
		if err != nil {
			return nil
		}
		if n == 0 {
			continue
		}
		h, err := s.request(s.after[:n])
		switch {
		case err != nil:
			s.device.Stop() // what Serve would have ended with
			return nil
		case h != nil:
			return h
		}
		answered++
		begin = time.Now()
	}
	return nil
}

func (s *server) deliver(unique uint64, a answer) {
	taken := s.waiting.take(unique) && s.device.Reply(unique, a.errno, a.body) == nil
	if !taken && a.entered != nil {
		s.trap.table.forget(a.entered.id, 1)
	}
	if !taken && a.handle != 0 {
		s.trap.open.drop(a.handle)
	}
	if a.gone != nil {
		// It waits for the lock of the folder, which nobody holds for long: who
		// has it waits for a lookup, and lookups wait for no answer.
		_ = s.device.Write(fuse.ForgetName(a.gone.parent.id, a.gone.name))
	}
}

// interrupt is told that a signal has come for a waiting call. Where it ends the
// process the call is over. Where it does not, the call must go on: a first
// touch that made open(2) fail with EINTR would break programs with timers.
func (s *server) interrupt(r fuse.Request) {
	unique, err := r.Number()
	if err != nil {
		return
	}
	call, ok := s.waiting.find(unique)
	if !ok {
		return
	}
	told := r.Unique
	s.waiting.all.Go(func() {
		if s.trap.dying(s.trap.outside(call.thread)) {
			call.cancel()
			if s.waiting.take(unique) {
				_ = s.device.Reply(unique, unix.EINTR, nil)
			}
			return
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(max(retell, time.Duration(s.waiting.count())*perWaiter)):
			_ = s.device.Reply(told, unix.EAGAIN, nil)
		}
	})
}
