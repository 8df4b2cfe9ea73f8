package workers

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestPool: all work is done, by no more goroutines than there may be, whether
// they stay from before or are new; and none is left.
func TestPool(t *testing.T) {
	p := New(8, 4)
	var running, most atomic.Int32
	for range 50 {
		var all sync.WaitGroup
		for range 100 {
			all.Add(1)
			go p.Do(func() {
				defer all.Done()
				n := running.Add(1)
				defer running.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
			})
		}
		all.Wait()
	}
	if most.Load() > 8 {
		t.Errorf("%d at once, want 8 at most", most.Load())
	}
	p.Close()
	p.mu.Lock()
	if p.running != 0 || p.idle != 0 {
		t.Errorf("%d goroutines are left, %d of them idle", p.running, p.idle)
	}
	p.mu.Unlock()
	done := make(chan struct{})
	p.Do(func() { close(done) })
	<-done
}
