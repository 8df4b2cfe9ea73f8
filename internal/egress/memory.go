//go:build linux

package egress

import (
	"sync"
	"sync/atomic"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// lease is how long an answer is remembered at most, whatever it says: who should
// say that grants have changed may be stopped.
const lease = time.Second

// maxHeld bounds the requests that are answered from memory.
const maxHeld = 1024

// memory has the answers that stand (decision.Stands), so that what the same
// decision covers is not put, recorded and made durable again and again. Whatever
// is answered by it is told of with the number of its use.
//
// Security: an Allow is durable before it is here. It is forgotten when grants
// change, when the grant that it rests on runs out, and after a second. Denials,
// answers for once and uses of secrets are never here.
type memory struct {
	now  func() time.Time
	uses atomic.Uint64

	mu    sync.Mutex
	turn  uint64                            // guarded by mu; how often all was forgotten
	same  map[capability.Capability]*held   // guarded by mu; by what was asked for
	wider map[capability.Capability][]*held // guarded by mu; by destination
}

// held is an answer that is remembered.
type held struct {
	answer decision.Decision
	by     place     // that it rests on
	over   time.Time // of its lease
}

// stands reports whether an answer is still one.
func (h *held) stands(now time.Time) bool {
	until := h.answer.Stands.Until
	return now.Before(h.over) && (until.IsZero() || now.Round(0).Before(until)) // which was told by the clock on the wall
}

func (m *memory) init(now func() time.Time) {
	m.now = now
	m.forget()
}

// find returns an answer that covers c, what that rests on, and the number of this
// use of it.
func (m *memory) find(c capability.Capability) (d decision.Decision, by place, use uint64, ok bool) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.same[c]
	if h == nil || !h.stands(now) {
		delete(m.same, c)
		if h = m.covering(c, now); h == nil {
			return d, by, 0, false
		}
		m.put(c, h)
	}
	return h.answer, h.by, m.uses.Add(1), true
}

// covering looks for an answer that covers more than one request, and lets go of
// those that are over. The mutex is held.
func (m *memory) covering(c capability.Capability, now time.Time) (found *held) {
	to, ok := c.Destination()
	if !ok || m.wider[to] == nil {
		return nil
	}
	var left []*held
	for _, h := range m.wider[to] {
		if !h.stands(now) {
			continue
		}
		left = append(left, h)
		if found == nil && h.answer.Stands.Also.Covers(c) {
			found = h
		}
	}
	if left == nil {
		delete(m.wider, to)
	} else {
		m.wider[to] = left
	}
	return found
}

// put has c answered by h. The mutex is held.
func (m *memory) put(c capability.Capability, h *held) {
	if len(m.same) >= maxHeld {
		clear(m.same)
	}
	m.same[c] = h
}

// begin is to be called before a request is put whose answer is to be kept.
func (m *memory) begin() (turn uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turn
}

// keep remembers an answer to c, if it stands and nothing was forgotten since its
// turn: it may have been given before what made that necessary.
func (m *memory) keep(turn uint64, c capability.Capability, d decision.Decision) {
	to, leads := c.Destination()
	if !leads || d.Outcome != decision.Allow || d.Stands == nil {
		return
	}
	h := &held{answer: d, by: placeOf(covering(d)), over: m.now().Add(lease)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turn != turn {
		return
	}
	m.put(c, h)
	if d.Stands.Also.IsZero() {
		return
	}
	if len(m.wider) >= maxHeld {
		clear(m.wider)
	}
	m.wider[to] = append(m.wider[to], h)
	if n := len(m.wider[to]); n > maxWider {
		m.wider[to] = m.wider[to][n-maxWider:]
	}
}

// maxWider bounds the answers for one destination that cover more than a request.
const maxWider = 16

// forget lets everything be put again.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn++
	m.same, m.wider = map[capability.Capability]*held{}, map[capability.Capability][]*held{}
}
