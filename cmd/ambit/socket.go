package main

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/gate"
)

// Who is granted a folder is not granted the sockets in it: to connect to a
// service is more than to read the files around its socket. So about a socket is
// decided by what names it, by its path or by a glob, and by every denial.

// naming is what a decision about a socket at a path is made by.
func (s *prepared) naming(path string, grants []grant.Grant) decision.Input {
	wide := func(c capability.Capability) bool {
		pattern, ok := c.Pattern()
		return ok && !pattern.MatchExact(path)
	}
	in := s.judged(slices.DeleteFunc(slices.Clone(grants), func(g grant.Grant) bool { return g.Outcome == grant.Allow && wide(g.Capability) }))
	in.Policy.Preapprove = slices.DeleteFunc(slices.Clone(in.Policy.Preapprove), wide)
	return in
}

// judged is what a decision of now is made by.
func (s *prepared) judged(grants []grant.Grant) decision.Input {
	return decision.Input{Manifest: s.manifest, Grants: grants, Policy: s.policy, Now: s.app.now()}
}

// still decides anew about something that the view shows.
func (s *prepared) still(c capability.Capability, objects []enforce.Object, grants []grant.Grant) (d decision.Decision) {
	r := decision.Request{Subject: s.subject, Capability: c}
	d = decision.Decide(r, s.judged(grants))
	for _, o := range objects {
		if o.Socket && d.Outcome == decision.Allow {
			d = decision.Decide(r, s.naming(o.Path, grants))
		}
	}
	if d.Outcome != decision.Allow || s.managed == nil {
		return d
	}
	why, err := s.managed.opened(c, s.subject)
	switch {
	case err != nil:
		return decision.Failed(r, err)
	case why != nil:
		return decision.Decision{Outcome: decision.Deny, Reasons: []decision.Reason{*why}}
	}
	return d
}

// gateFor is the gate that answers about a touch.
func (t *toucher) gateFor(touch enforce.Touch) decision.Checker {
	if !touch.Socket {
		return t.gate
	}
	return gate.New(gate.Config{
		Manifest: t.s.manifest, Policy: t.s.naming(touch.Path, nil).Policy, Log: t.s, Now: t.s.app.now,
		Grants: func(ctx context.Context) ([]grant.Grant, error) {
			grants, err := t.grants(ctx)
			return t.s.naming(touch.Path, grants).Grants, err
		},
		NewID: func() string { return audit.NewID("d") },
	})
}

// isSocket reports whether there is a unix socket at the path of a capability.
func isSocket(c capability.Capability) (path string, ok bool) {
	pattern, _ := c.Pattern()
	path, literal := pattern.Literal()
	var st unix.Stat_t
	return path, literal && unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
