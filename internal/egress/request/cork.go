package request

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// Bounds of what is held of a connection.
const (
	maxCorked = 128 << 10
	corkTime  = 5 * time.Second // that the other side has to take the rest when it is closed
)

// A cork is a connection whose writes are gathered: what several streams of HTTP/2
// have to say goes in one piece, written when all that could run has run. Each piece
// costs a packet and wakes the other side up, which was more than the requests took.
//
// An error of writing is returned by a later Write. It is made by newCork, and Close
// ends its goroutine.
type cork struct {
	net.Conn
	done chan struct{} // closed when nothing is written any more

	mu     sync.Mutex
	change sync.Cond
	held   []byte // guarded by mu
	under  bool   // a piece is being written; guarded by mu
	closed bool   // guarded by mu
	err    error  // of writing; guarded by mu
}

func newCork(c net.Conn) *cork {
	k := &cork{Conn: c, done: make(chan struct{})}
	k.change.L = &k.mu
	go k.run()
	return k
}

// Write has p written soon. It waits only where much is held.
func (k *cork) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.held) >= maxCorked && k.err == nil && !k.closed {
		k.change.Wait()
	}
	switch {
	case k.err != nil:
		return 0, k.err
	case k.closed:
		return 0, net.ErrClosed
	}
	if k.held = append(k.held, p...); len(k.held) == len(p) {
		k.change.Broadcast()
	}
	return len(p), nil
}

// run writes what is held.
func (k *cork) run() {
	defer close(k.done)
	var piece []byte
	for {
		k.mu.Lock()
		k.under = false
		k.change.Broadcast()
		for len(k.held) == 0 && !k.closed {
			k.change.Wait()
		}
		if len(k.held) == 0 || k.err != nil {
			k.mu.Unlock()
			return
		}
		k.under = true
		k.mu.Unlock()
		runtime.Gosched() // whoever can run now may have something to say too
		k.mu.Lock()
		piece, k.held = k.held, piece[:0]
		k.change.Broadcast() // there is room again
		k.mu.Unlock()
		_, err := k.Conn.Write(piece)
		if cap(piece) > maxCorked {
			piece = nil
		}
		if err != nil {
			k.mu.Lock()
			k.err = err
			k.mu.Unlock()
		}
	}
}

// drain waits until nothing is held, or nothing can be written any more.
func (k *cork) drain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for (len(k.held) > 0 || k.under) && k.err == nil {
		k.change.Wait()
	}
}

// SetWriteDeadline sets it for what is written from now on: what was said before a
// time that has come is written first, within the deadline that it had.
func (k *cork) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		k.drain()
	}
	return k.Conn.SetWriteDeadline(t)
}

// Close writes what is held, for which the other side has some time, and closes the
// connection.
func (k *cork) Close() error {
	k.mu.Lock()
	k.closed = true
	k.change.Broadcast()
	k.mu.Unlock()
	_ = k.Conn.SetWriteDeadline(time.Now().Add(corkTime)) // it may be closed
	<-k.done
	return k.Conn.Close()
}
