package port

import (
	"sync"
	"time"
)

// Bounds of what callers may do.
const (
	failuresAMinute = 10
	requestsASecond = 1500 // of one token or login
	strangersSecond = 50   // of one address that is not known
	maxStreams      = 32   // of one token or login at once
	maxKeys         = 4096 // that are told apart; others share one
)

// limits are those of a port.
type limits struct {
	failures  *buckets // attempts to be known, by address
	strangers *buckets // requests of whoever is not known, by address
	requests  *buckets // requests of whoever is, by what they are known by
	streams   *counts
}

func newLimits(now func() time.Time) *limits {
	return &limits{
		failures:  newBuckets(now, failuresAMinute, failuresAMinute/60.0),
		strangers: newBuckets(now, 10*strangersSecond, strangersSecond),
		requests:  newBuckets(now, 2*requestsASecond, requestsASecond),
		streams:   &counts{of: map[string]int{}},
	}
}

// A bucket is what somebody may still do, and fills up again.
type bucket struct {
	left float64
	at   time.Time
}

// buckets are those of everybody who is told apart.
type buckets struct {
	now         func() time.Time
	size, speed float64 // how much one holds, and what it gets a second

	mu sync.Mutex
	of map[string]bucket // guarded by mu
}

func newBuckets(now func() time.Time, size, speed float64) *buckets {
	return &buckets{now: now, size: size, speed: speed, of: map[string]bucket{}}
}

// take takes one, if there is one left.
func (b *buckets) take(key string) bool { return b.draw(key, 1) }

// left reports whether there is one, and takes none.
func (b *buckets) left(key string) bool { return b.draw(key, 0) }

func (b *buckets) draw(key string, n float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if _, known := b.of[key]; !known && len(b.of) >= maxKeys {
		b.forget(now)
		if len(b.of) >= maxKeys {
			key = "" // everybody else
		}
	}
	k, known := b.of[key]
	if !known {
		k = bucket{b.size, now}
	}
	k.left, k.at = b.filled(k, now), now
	if k.left < 1 {
		b.of[key] = k
		return false
	}
	k.left -= n
	b.of[key] = k
	return true
}

func (b *buckets) filled(k bucket, now time.Time) float64 {
	return min(b.size, k.left+now.Sub(k.at).Seconds()*b.speed)
}

// forget forgets those that are full: they are as new ones.
func (b *buckets) forget(now time.Time) {
	for key, k := range b.of {
		if b.filled(k, now) >= b.size {
			delete(b.of, key)
		}
	}
}

// counts are how many of something somebody has at once.
type counts struct {
	mu sync.Mutex
	of map[string]int // guarded by mu
}

// begin counts one more, unless there are too many; done counts it out.
func (c *counts) begin(key string, most int) (done func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key] >= most {
		return nil, false
	}
	c.of[key]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.of[key]--; c.of[key] == 0 {
			delete(c.of, key)
		}
	}, true
}
