package request

import "sync"

// maxHands is how many goroutines stay for the requests that come next.
const maxHands = 16

// hands are goroutines that answer requests, one after the other. The stack of a new
// one is too small for what is done here, and is copied some times until it fits: where
// requests are small that took a twentieth of the time of all of them.
type hands struct {
	work chan func() // to one that waits
	over chan struct{}
	once sync.Once // closes over

	mu   sync.Mutex
	idle int // guarded by mu
}

func newHands() *hands { return &hands{work: make(chan func()), over: make(chan struct{})} }

// do has f done now, by another goroutine.
func (h *hands) do(f func()) {
	select {
	case h.work <- f:
	default:
		go h.serve(f)
	}
}

func (h *hands) serve(f func()) {
	for {
		f()
		if !h.stay(1) {
			return
		}
		select {
		case f = <-h.work:
			h.stay(-1)
		case <-h.over:
			return
		}
	}
}

// stay counts one more that waits, or one less, and reports whether there is room.
func (h *hands) stay(more int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle+more > maxHands {
		return false
	}
	h.idle += more
	return true
}

// close lets go of those that wait. What is done later is done all the same.
func (h *hands) close() { h.once.Do(func() { close(h.over) }) }
