package metric

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Seconds are bounds of what takes from a tenth of a millisecond to ten seconds.
var Seconds = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// A Histogram is a family of how often what took how long. It is safe for concurrent use.
type Histogram struct {
	head
	bounds []float64

	mu     sync.Mutex
	series map[string]*spread // guarded by mu; by its labels
}

// spread is one series of a Histogram.
type spread struct {
	values []string
	counts []uint64 // each up to its bound, and the last beyond all of them
	sum    float64
}

// Histogram adds a family of how often what took how long, with bounds that grow.
func (s *Set) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	h := &Histogram{head: head{name, help, labels}, bounds: bounds, series: map[string]*spread{}}
	s.families = append(s.families, h)
	return h
}

// Took notes one that took so long, in the series with these values.
func (h *Histogram) Took(d time.Duration, values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := one(h.series, h.head, values, func(v []string) *spread { return &spread{values: v, counts: make([]uint64, len(h.bounds)+1)} })
	at, _ := slices.BinarySearch(h.bounds, d.Seconds()) // a bound belongs to what is below it
	s.counts[at]++
	s.sum += d.Seconds()
}

// Add notes many, counted by the bounds; what is counted beyond them counts as longer
// than all.
func (h *Histogram) Add(counts []int, sum time.Duration, values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := one(h.series, h.head, values, func(v []string) *spread { return &spread{values: v, counts: make([]uint64, len(h.bounds)+1)} })
	for i, n := range counts {
		s.counts[min(i, len(h.bounds))] += uint64(max(n, 0))
	}
	s.sum += max(sum, 0).Seconds()
}

func (h *Histogram) write(_ context.Context, to *text) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to.head(h.head, "histogram")
	labels := append(slices.Clone(h.labels), "le")
	for _, key := range sorted(h.series) {
		s, all := h.series[key], uint64(0)
		for i, n := range s.counts {
			le := "+Inf"
			if i < len(h.bounds) {
				le = strconv.FormatFloat(h.bounds[i], 'g', -1, 64)
			}
			all += n
			to.sample(h.name+"_bucket", labels, append(slices.Clone(s.values), le), float64(all))
		}
		to.sample(h.name+"_sum", h.labels, s.values, s.sum)
		to.sample(h.name+"_count", h.labels, s.values, float64(all))
	}
}
