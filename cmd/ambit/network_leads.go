package main

import (
	"context"
	"errors"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/egress/wire"
)

// leads answers about an address that an allowed name leads to, or about a request that is
// to be made there: Deny where that is denied. That nothing grants it is no denial: the name was granted.
//
// Security: what policy or a person denies is denied under every name, also beside
// what a manifest declares, and the denial is recorded. What cannot be decided is denied.
func (n *network) leads(ctx context.Context, id uint64, r decision.Request) wire.Message {
	program := r.Subject.Program
	r.ID, r.Subject, r.CanAsk = "", n.s.subject, n.asks != nil
	r.Subject.Program = program
	d := n.denied(ctx, r)
	if d.Outcome == decision.Deny {
		n.tally.Denied(r.Capability.Kind())
		n.tell(r.Capability, d)
	}
	return wire.Message{ID: id, Decision: &d}
}

// denied decides about an address by denials alone. What none of them stops is to be
// asked, which nobody is.
func (n *network) denied(ctx context.Context, r decision.Request) decision.Decision {
	if _, _, to, _, ok := r.Capability.Hosts(); !ok || !to.IsValid() || !networks(r.Name) {
		return decision.Failed(r, errors.New("a name leads to no such thing"))
	}
	grants, err := n.grants(ctx)
	if err != nil {
		return decision.Failed(r, err)
	}
	in := n.s.judged(grants)
	in.Manifest = manifest.Manifest{Open: true}
	if d := decision.Decide(r, in); d.Outcome == decision.Deny && d.Reasons[0].Rule != decision.NotGranted {
		return n.s.gateOver(in.Manifest, n.grants, n.trail).Check(ctx, r)
	}
	return decision.Decision{Outcome: decision.Ask}
}

// deniesAddresses reports whether something may deny addresses: a capability that names
// some, or managed policy.
func (s *prepared) deniesAddresses(denials []capability.Capability) bool {
	if s.managed != nil && s.managed.look() {
		return true
	}
	for _, c := range denials {
		if _, _, addrs, _, ok := c.Hosts(); ok && addrs.IsValid() {
			return true
		}
	}
	return false
}
