//go:build linux

package egress

import "sync"

// A pool does work in a bounded number of goroutines: thousands of connections
// may have something to do at once, and a stack for each would be most of the
// memory of the plane. A few stay when there is nothing to do: the stack of a new
// one is too small for what is done here, and is copied some times until it fits.
type pool struct {
	limit int
	more  chan func() // to those that stay; has room for each of them

	mu      sync.Mutex
	closed  bool     // guarded by mu
	running int      // guarded by mu; idle ones included
	idle    int      // guarded by mu; without those that something in more is for
	queue   []func() // guarded by mu

	all sync.WaitGroup
}

// How many goroutines carry bytes, and how many end connections, which waits for
// records to be taken. Those that open connections have a bound of their own.
const (
	carriers  = 64
	finishers = 8
	openers   = 1 << 16
)

// maxIdle is how many goroutines of a pool stay.
const maxIdle = 4

func (p *pool) init(limit int) {
	p.limit, p.more = limit, make(chan func(), maxIdle)
}

// do has f done soon. It does not wait.
func (p *pool) do(f func()) {
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

func (p *pool) work(f func()) {
	for f != nil {
		f()
		f = p.next()
	}
}

// next returns what is to be done next, or nil when the goroutine is to end.
func (p *pool) next() func() {
	p.mu.Lock()
	if len(p.queue) > 0 {
		defer p.mu.Unlock()
		f := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		return f
	}
	p.queue = nil // it may have been long
	if p.closed || p.idle >= maxIdle {
		defer p.mu.Unlock()
		p.running--
		return nil
	}
	p.idle++
	p.mu.Unlock()
	return <-p.more // nil once it is closed
}

// close returns when no goroutine of the pool is left. What is done later is done
// in goroutines that nobody waits for.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.running -= p.idle
	p.idle = 0
	close(p.more)
	p.mu.Unlock()
	p.all.Wait()
}
