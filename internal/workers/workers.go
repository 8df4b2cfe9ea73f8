// Package workers does work in goroutines that stay for the work that comes next.
//
// Invariants:
//
//   - No more goroutines than the bound do work at once, and all work is done.
//   - Close leaves no goroutine.
//
// Layer: below everything. It knows nothing of the work.
package workers

import "sync"

// A Pool does work in a bounded number of goroutines: thousands of connections
// may have something to do at once, and a stack for each would be most of the
// memory of a process. A few stay when there is nothing to do: the stack of a new
// one is small, and is copied some times until what is done fits.
type Pool struct {
	limit, stay int
	more        chan func() // to those that stay; has room for each of them

	mu      sync.Mutex
	closed  bool     // guarded by mu
	running int      // guarded by mu; idle ones included
	idle    int      // guarded by mu; without those that something in more is for
	queue   []func() // guarded by mu

	all sync.WaitGroup
}

// New makes a pool of at most limit goroutines, of which some stay.
func New(limit, stay int) *Pool {
	return &Pool{limit: limit, stay: stay, more: make(chan func(), stay)}
}

// Do has f done soon. It does not wait.
func (p *Pool) Do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		go f()
	case p.idle > 0:
		p.idle--
		p.more <- f
	case p.running < p.limit:
		p.running++
		p.all.Go(func() { p.work(f) })
	default:
		p.queue = append(p.queue, f)
	}
}

func (p *Pool) work(f func()) {
	for f != nil {
		f()
		f = p.next()
	}
}

// next returns what is to be done next, or nil when the goroutine is to end.
func (p *Pool) next() func() {
	p.mu.Lock()
	if len(p.queue) > 0 {
		defer p.mu.Unlock()
		f := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		return f
	}
	p.queue = nil // it may have been long
	if p.closed || p.idle >= p.stay {
		defer p.mu.Unlock()
		p.running--
		return nil
	}
	p.idle++
	p.mu.Unlock()
	return <-p.more // nil once it is closed
}

// Close returns when no goroutine of the pool is left. What is done later is done
// in goroutines that nobody waits for.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.running -= p.idle
		p.idle = 0
		close(p.more)
	}
	p.mu.Unlock()
	p.all.Wait()
}
