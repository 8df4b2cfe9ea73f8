//go:build linux

package egress

import (
	"context"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/inside"
)

// remember is how long a refusal is repeated without being put again; maxRefused
// is how many are remembered.
const (
	remember   = 2 * time.Second
	maxRefused = 1024
)

// refusals remembers what was refused just now, so that a program that tries in
// a loop costs nothing and is told of once.
type refusals struct {
	mu  sync.Mutex
	all map[capability.Capability]*remembered // guarded by mu
}

type remembered struct {
	refusal
	until time.Time
}

func (s *refusals) init() { s.all = map[capability.Capability]*remembered{} }

// find returns what c was refused with, and counts that.
func (s *refusals) find(c capability.Capability) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.all[c]
	if r == nil || time.Now().After(r.until) {
		return nil
	}
	r.times++
	repeated := r.refusal
	repeated.again = true
	return &repeated
}

// keep remembers a refusal, and adds to it how often the last one was repeated.
func (s *refusals) keep(c capability.Capability, r *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.all[c]; old != nil {
		r.times = old.times
	}
	if len(s.all) >= maxRefused {
		clear(s.all)
	}
	kept := *r
	kept.times = 0
	s.all[c] = &remembered{kept, time.Now().Add(remember)}
}

// forget lets everything be put again.
func (s *refusals) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.all)
}

// rate bounds how many flows begin in a second.
type rate struct {
	most float64

	mu   sync.Mutex
	left float64   // guarded by mu
	last time.Time // guarded by mu
}

func (r *rate) init(perSecond int) {
	r.most, r.left, r.last = float64(perSecond), float64(perSecond), time.Now()
}

func (r *rate) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.left = min(r.most, r.left+now.Sub(r.last).Seconds()*r.most)
	r.last = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// glance is how often those that wait are looked at.
const glance = 250 * time.Millisecond

// opening has the connections that are not there yet.
type opening struct {
	mu  sync.Mutex
	all map[*attempt]struct{} // guarded by mu
}

// An attempt is a connection that a program waits for.
type attempt struct {
	flow   inside.Flow
	since  time.Time
	cancel context.CancelCauseFunc
}

func (o *opening) init() { o.all = map[*attempt]struct{}{} }

// add takes one of limit places.
func (o *opening) add(a *attempt, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.all) >= limit {
		return false
	}
	o.all[a] = struct{}{}
	return true
}

func (o *opening) remove(a *attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, a)
}

// older returns the attempts that are older than a glance.
func (o *opening) older(now time.Time) (all []*attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for a := range o.all {
		if now.Sub(a.since) >= glance {
			all = append(all, a)
		}
	}
	return all
}

// watch looks whether the programs that wait do so still. A socket that is
// closed before its connection is there sends nothing, so only a look tells.
func (p *Plane) watch() {
	if p.cfg.Sockets == nil {
		return
	}
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-tick.C:
			for _, a := range p.opening.older(now) {
				if s, err := p.cfg.Sockets.Find(a.flow); err == nil && !s.Connecting {
					a.cancel(errGone)
				}
			}
		}
	}
}
