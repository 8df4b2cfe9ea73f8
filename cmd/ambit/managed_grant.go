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
	m := a.manage()
	defer m.close()
	if !m.Rules() {
		return nil
	}
	m.of(signer, "")
	if err := m.ready(); err != nil {
		return err
	}
	for _, g := range made {
		if g.Outcome != grant.Allow {
			continue
		}
		r := decision.Request{Capability: g.Capability, Why: "to be granted",
			Subject: decision.Subject{Principal: g.Principal, Session: g.Lifespan.Session, Pack: g.Pack, Digest: g.Digest}}
		why, err := m.Forbids(r)
		if err != nil {
			return err
		}
		if why == nil {
			continue
		}
		if err := a.recordForbidden(ctx, m, r); err != nil {
			return err
		}
		return fmt.Errorf("%s cannot be granted: %s", g.Capability.Display(), why.Text)
	}
	return nil
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
