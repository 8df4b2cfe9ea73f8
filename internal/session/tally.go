package session

import (
	"slices"
	"strings"
	"sync"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
)

// A Tally counts what was decided in a session, by kind of capability. The zero
// value is ready, and a nil one counts nothing. It is safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	counts  map[capability.Kind]*Count // guarded by mu
	traffic Traffic                    // guarded by mu
}

// Traffic is what a session's network has carried, of what has ended.
type Traffic struct {
	Flows   int    `json:"flows"`             // connections and exchanges of datagrams
	Refused int    `json:"refused,omitempty"` // those that were not to be
	In      uint64 `json:"in"`                // bytes to the sandbox
	Out     uint64 `json:"out"`               // bytes from it
}

// Carried adds to the traffic.
func (t *Tally) Carried(more Traffic) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.traffic.Flows += more.Flows
	t.traffic.Refused += more.Refused
	t.traffic.In += more.In
	t.traffic.Out += more.Out
}

// Traffic returns what was carried.
func (t *Tally) Traffic() Traffic {
	if t == nil {
		return Traffic{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.traffic
}

// Count is one line of a tally.
type Count struct {
	Capability capability.Kind `json:"capability"`
	Allowed    int             `json:"allowed,omitempty"`
	Asked      int             `json:"asked,omitempty"` // questions to people
	Denied     int             `json:"denied,omitempty"`
}

// Allowed counts what was allowed.
func (t *Tally) Allowed(k capability.Kind) { t.add(k, func(c *Count) { c.Allowed++ }) }

// Asked counts a question to a person; its outcome is counted apart.
func (t *Tally) Asked(k capability.Kind) { t.add(k, func(c *Count) { c.Asked++ }) }

// Denied counts what was denied.
func (t *Tally) Denied(k capability.Kind) { t.add(k, func(c *Count) { c.Denied++ }) }

func (t *Tally) add(k capability.Kind, count func(*Count)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[capability.Kind]*Count{}
	}
	if t.counts[k] == nil {
		t.counts[k] = &Count{Capability: k}
	}
	count(t.counts[k])
}

// Counts returns the lines, in order of their kinds.
func (t *Tally) Counts() (all []Count) {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int { return strings.Compare(string(a.Capability), string(b.Capability)) })
	return all
}

// bodies are the counts for the record.
func bodies(counts []Count) (all []audit.CountBody) {
	for _, c := range counts {
		all = append(all, audit.CountBody{Capability: string(c.Capability), Allowed: c.Allowed, Asked: c.Asked, Denied: c.Denied})
	}
	return all
}
