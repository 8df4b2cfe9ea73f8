package main

import (
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/policy/wire"
)

// holes are what the policies close inside of what is allowed.
func (m *managed) holes(c capability.Capability, about decision.Subject) ([]wire.Hole, error) {
	if !m.rules.Load() {
		return nil, nil
	}
	t, err := m.verdict(m.request(decision.Request{Subject: about, Capability: c}))
	return t.v.Holes, err
}

// isFile reports whether a capability is about files.
func isFile(k capability.Kind) bool {
	return k == capability.FSRead || k == capability.FSWrite || k == capability.FSAppend
}

// mask answers with the holes of what a view shows, and remembers that they are
// closed there.
func (m *managed) mask(effective []capability.Capability, about decision.Subject) (all []capability.Capability, err error) {
	for _, c := range effective {
		holes, err := m.holes(c, about)
		if err != nil {
			return nil, err
		}
		var closed []capability.Capability
		for _, h := range holes {
			closed = append(closed, h.Capability)
		}
		m.mu.Lock()
		m.closed[c] = closed
		m.mu.Unlock()
		all = append(all, closed...)
	}
	return all, nil
}

// opened is the policy by which something inside of what is shown has to be closed
// now, and is not.
func (m *managed) opened(c capability.Capability, about decision.Subject) (*decision.Reason, error) {
	if !m.rules.Load() {
		return nil, nil //nolint:nilnil // nothing has to be
	}
	t, err := m.verdict(m.request(decision.Request{Subject: about, Capability: c}))
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range t.v.Holes {
		if !slices.Contains(m.closed[c], h.Capability) {
			return forbids(h.By, h.Capability, t), nil
		}
	}
	return nil, nil //nolint:nilnil // all of it is
}
