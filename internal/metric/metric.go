// Package metric counts, and writes what it counted as Prometheus reads it: the text
// format 0.0.4.
//
// It knows nothing of what is counted. Invariants:
//
//   - What it writes is of that format, whatever names and values it was given
//     (TestFormat, FuzzFormat).
//   - A family has a bounded number of series, whatever its labels are said to be: what
//     is one too many is counted as "other" (TestBound).
//
// Layer: below everything that counts.
package metric

import (
	"context"
	"io"
	"slices"
	"sync"
)

// maxSeries bounds the series of a family.
const maxSeries = 512

// A Set is what is written together. Families are added before it is written.
type Set struct{ families []family }

// A family is all series of one name.
type family interface {
	write(ctx context.Context, to *text)
}

// Write writes every family, in the order in which they were added.
func (s *Set) Write(ctx context.Context, w io.Writer) error {
	var out text
	for _, f := range s.families {
		f.write(ctx, &out)
	}
	_, err := w.Write(out)
	return err
}

// head is what a family is called.
type head struct {
	name, help string
	labels     []string
}

// A Counter is a family of numbers that grow. It is safe for concurrent use.
type Counter struct {
	head
	mu     sync.Mutex
	series map[string]*counted // guarded by mu; by its labels
}

// counted is one series of a Counter.
type counted struct {
	values []string
	n      float64
}

// Counter adds a family of numbers that grow. By custom its name ends in _total.
func (s *Set) Counter(name, help string, labels ...string) *Counter {
	c := &Counter{head: head{name, help, labels}, series: map[string]*counted{}}
	s.families = append(s.families, c)
	return c
}

// Add adds to the series with these values, in the order of the labels.
func (c *Counter) Add(n float64, values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one(c.series, c.head, values, func(v []string) *counted { return &counted{values: v} }).n += n
}

func (c *Counter) write(_ context.Context, to *text) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to.head(c.head, "counter")
	for _, key := range sorted(c.series) {
		to.sample(c.name, c.labels, c.series[key].values, c.series[key].n)
	}
}

// A Gauge is a number that goes up and down. It is safe for concurrent use.
type Gauge struct {
	head
	mu sync.Mutex
	n  float64 // guarded by mu
}

// Gauge adds a number that goes up and down.
func (s *Set) Gauge(name, help string) *Gauge {
	g := &Gauge{head: head{name: name, help: help}}
	s.families = append(s.families, g)
	return g
}

// Add adds to it, or takes from it.
func (g *Gauge) Add(n float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n += n
}

func (g *Gauge) write(_ context.Context, to *text) {
	g.mu.Lock()
	defer g.mu.Unlock()
	to.head(g.head, "gauge")
	to.sample(g.name, nil, nil, g.n)
}

// A Sample is one series as it is now.
type Sample struct {
	Values []string // of the labels
	N      float64
}

// sampled is a family that is asked for when it is written.
type sampled struct {
	head
	look func(context.Context) []Sample
}

// Sampled adds a family of numbers that are asked for when it is written. One that cannot
// be told is left out.
func (s *Set) Sampled(name, help string, labels []string, look func(context.Context) []Sample) {
	s.families = append(s.families, sampled{head{name, help, labels}, look})
}

func (f sampled) write(ctx context.Context, to *text) {
	series := map[string]*counted{}
	for _, s := range f.look(ctx) {
		one(series, f.head, s.Values, func(v []string) *counted { return &counted{values: v} }).n += s.N
	}
	if len(series) == 0 {
		return
	}
	to.head(f.head, "gauge")
	for _, key := range sorted(series) {
		to.sample(f.name, f.labels, series[key].values, series[key].n)
	}
}

// one finds a series, or makes it. One too many is that of "other".
func one[S any](series map[string]*S, h head, values []string, fresh func([]string) *S) *S {
	values = append(slices.Clone(values), make([]string, max(0, len(h.labels)-len(values)))...)[:len(h.labels)]
	key := keyOf(values)
	if s := series[key]; s != nil {
		return s
	}
	if len(series) >= maxSeries-1 {
		for i := range values {
			values[i] = "other"
		}
		if key = keyOf(values); series[key] != nil {
			return series[key]
		}
	}
	series[key] = fresh(values)
	return series[key]
}
