//go:build linux

package egress

import "sync"

// A pool does short work in a bounded number of goroutines: thousands of
// connections may have something to do at once, and a stack for each would be
// most of the memory of the plane.
type pool struct {
	limit int

	mu      sync.Mutex
	running int      // guarded by mu
	queue   []func() // guarded by mu
}

// How many goroutines carry bytes, and how many end connections, which waits for
// records to be taken.
const (
	carriers  = 64
	finishers = 8
)

// do has f done soon. It does not wait.
func (p *pool) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running >= p.limit {
		p.queue = append(p.queue, f)
		return
	}
	p.running++
	go p.work(f)
}

func (p *pool) work(f func()) {
	for f != nil {
		f()
		f = p.next()
	}
}

// next returns what is to be done next, or nil when there is nothing.
func (p *pool) next() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.running--
		p.queue = nil // it may have been long
		return nil
	}
	f := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	return f
}
