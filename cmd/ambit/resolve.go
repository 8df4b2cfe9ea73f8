package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// settle resolves c and follows the links of a literal path. A path that leads
// through symbolic links means what they lead to now; whoever changes a link
// afterwards changes nothing.
func settle(c capability.Capability, b capability.Base) (capability.Capability, error) {
	c, err := c.Resolve(b)
	if err != nil {
		return c, err
	}
	pattern, ok := c.Pattern()
	if !ok {
		return c, nil
	}
	literal, ok := pattern.Literal()
	if !ok {
		return c, nil
	}
	real, err := filepath.EvalSymlinks(literal)
	if err != nil || real == literal {
		return c, nil // what is not there is refused when its object is looked for
	}
	return capability.ForPath(c.Kind(), real)
}

// resolveManifest settles what m wants, so that it can be compared with grants,
// which are stored settled.
func resolveManifest(m manifest.Manifest, b capability.Base) (manifest.Manifest, error) {
	m.Wants = slices.Clone(m.Wants)
	for i, w := range m.Wants {
		c, err := settle(w.Capability, b)
		if err != nil {
			return m, fmt.Errorf("manifest of %s: %w", m.ID, err)
		}
		m.Wants[i].Capability = c
	}
	return m, nil
}

// spellings maps what the wants of a manifest were settled to back to how they
// are spelled, where links make a difference: the view then has the links, and
// the program finds things where its manifest says.
func spellings(m manifest.Manifest, b capability.Base) map[capability.Capability]capability.Capability {
	spelled := map[capability.Capability]capability.Capability{}
	for _, w := range m.Wants {
		c, err := w.Capability.Resolve(b)
		if err != nil {
			continue // resolveManifest tells
		}
		if real, err := settle(c, b); err == nil && real != c {
			spelled[real] = c
		}
	}
	return spelled
}
