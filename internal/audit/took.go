package audit

import (
	"slices"
	"sync"
	"time"
)

// Bounds are those of how long appends took, as Took counts them; the last count is of
// what took longer than all.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Took says how long the appends of one Log took that succeeded, waiting for the lock
// and the disk included.
type Took struct {
	Counts []int         // by Bounds, without zeros at the end
	Sum    time.Duration // of all
}

// tookOf is Took in the making.
type tookOf struct {
	mu     sync.Mutex
	counts [len(Bounds) + 1]int // guarded by mu
	sum    time.Duration        // guarded by mu
}

func (t *tookOf) note(d time.Duration) {
	at, _ := slices.BinarySearch(Bounds[:], d)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[at]++
	t.sum += d
}

// Took is how long appends took until now.
func (l *Log) Took() Took {
	l.took.mu.Lock()
	defer l.took.mu.Unlock()
	n := len(l.took.counts)
	for n > 0 && l.took.counts[n-1] == 0 {
		n--
	}
	return Took{append([]int(nil), l.took.counts[:n]...), l.took.sum}
}
