package main

import (
	"context"
	"fmt"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/gate"
)

// mayGrant refuses grants that managed policy forbids: they would do nothing, and
// whoever makes them would believe otherwise. The denial is recorded.
func (a *app) mayGrant(ctx context.Context, made []grant.Grant, signer string) error {
	_, err := a.permitted(ctx, made, signer, func(g grant.Grant, why *decision.Reason) error {
		return fmt.Errorf("%s cannot be granted: %s", g.Capability.Display(), why.Text)
	})
	return err
}

// permitted are those of some grants that managed policy does not forbid. Of each
// other one the denial is recorded and forbidden is told, whose error is the answer.
func (a *app) permitted(ctx context.Context, made []grant.Grant, signer string, forbidden func(grant.Grant, *decision.Reason) error) (may []grant.Grant, err error) {
	m := a.manage()
	defer m.close()
	if !m.Rules() {
		return made, nil
	}
	m.of(signer, "")
	if err := m.ready(); err != nil {
		return nil, err
	}
	for _, g := range made {
		r := decision.Request{Capability: g.Capability, Why: "to be granted",
			Subject: decision.Subject{Principal: g.Principal, Session: g.Lifespan.Session, Pack: g.Pack, Digest: g.Digest}}
		var why *decision.Reason
		if g.Outcome == grant.Allow {
			if why, err = m.Forbids(r); err != nil {
				return nil, err
			}
		}
		if why == nil {
			may = append(may, g)
			continue
		}
		if err := a.recordForbidden(ctx, m, r); err != nil {
			return nil, err
		}
		if err := forbidden(g, why); err != nil {
			return nil, err
		}
	}
	return may, nil
}

// recordForbidden has the gate put down that a grant is forbidden.
func (a *app) recordForbidden(ctx context.Context, m *managed, r decision.Request) error {
	l, err := a.openLog()
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // what was written is durable
	g := gate.New(gate.Config{Manifest: manifest.Manifest{Open: true}, Policy: decision.Policy{Judge: m}, Log: l, Now: a.now,
		Grants: func(context.Context) ([]grant.Grant, error) { return nil, nil },
		NewID:  func() string { return audit.NewID("d") }})
	d := g.Check(ctx, r)
	if d.Outcome != decision.Deny || d.Reasons[0].Rule != decision.Forbidden {
		return fmt.Errorf("record that %s is forbidden: %s", r.Capability.Display(), reason(d))
	}
	return nil
}
