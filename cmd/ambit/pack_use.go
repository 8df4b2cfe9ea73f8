package main

import (
	"errors"
	"io/fs"
	"slices"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// useReport says what sessions that are over did with one capability.
type useReport struct {
	Sessions int `json:"sessions"` // that had it, or were given it, and in which its use could be seen
	Used     int `json:"used"`     // of them
}

// never reports whether there were sessions and none used it.
func (u useReport) never() bool { return u.Sessions > 0 && u.Used == 0 }

// A useCounter counts over the records of one pack, in their order.
type useCounter struct {
	wants    []capability.Capability
	uses     []useReport
	sessions int // that are over
	running  map[string]*useSession
}

// useSession is what is known of one session.
type useSession struct {
	had  []string // the effective set
	used map[int]bool
}

func newUseCounter(wants []capability.Capability) *useCounter {
	return &useCounter{wants: wants, uses: make([]useReport, len(wants)), running: map[string]*useSession{}}
}

// decided reports whether each use of a capability is a decision of its own.
func decided(c capability.Capability) bool {
	return networks(c) || c.Kind() == capability.SecretUse
}

// add counts one record.
func (u *useCounter) add(r audit.Record) error {
	s := u.running[r.Session]
	if s == nil && r.Kind != audit.SessionStart || r.Kind != audit.SessionStart && r.Kind != audit.Decision && r.Kind != audit.SessionEnd {
		return nil
	}
	body, err := r.Decode()
	if err != nil {
		return err
	}
	switch b := body.(type) {
	case *audit.LaunchBody:
		s = &useSession{used: map[int]bool{}}
		for _, c := range b.Capabilities {
			s.had = append(s.had, string(c))
		}
		u.running[r.Session] = s
	case *audit.DecisionBody: // those on which the launch rests stand before it
		c, err := capability.Parse(string(b.Capability))
		if err != nil || b.Outcome != decision.Allow.String() {
			return nil //nolint:nilerr // what is not understood is no use of what is
		}
		for i, want := range u.wants {
			if want.Covers(c) {
				s.used[i] = true
			}
		}
	case *audit.EndBody:
		delete(u.running, r.Session)
		if b.Status != "refused" {
			u.end(s, b.Uses)
		}
	}
	return nil
}

// end counts a session that is over.
func (u *useCounter) end(s *useSession, watched []audit.UseBody) {
	u.sessions++
	for i, want := range u.wants {
		seen := s.used[i]
		if at := slices.IndexFunc(watched, func(b audit.UseBody) bool { return string(b.Capability) == want.String() }); at >= 0 {
			seen = true
			s.used[i] = s.used[i] || watched[at].Used
		}
		if seen || decided(want) && slices.Contains(s.had, want.String()) {
			u.uses[i].Sessions++
		}
		if s.used[i] {
			u.uses[i].Used++
		}
	}
}

// usesOf counts what the sessions of a pack used of what it asks for.
func (a *app) usesOf(id string, wants []capability.Capability) (*useCounter, error) {
	u := newUseCounter(wants)
	dir, err := a.auditDir()
	if err != nil {
		return u, err
	}
	for r, err := range audit.Read(dir) {
		if errors.Is(err, fs.ErrNotExist) {
			return u, nil // nothing was recorded yet
		}
		if err != nil {
			return u, err
		}
		if r.Pack == id && r.Principal == a.principal() {
			if err := u.add(r); err != nil {
				return u, err
			}
		}
	}
	return u, nil
}
