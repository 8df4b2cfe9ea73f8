package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce/view"
)

// settle resolves c and follows the links of a path, of a glob those of the
// folder that it starts from. A path that leads through symbolic links means
// what they lead to now; whoever changes a link afterwards changes nothing.
func settle(c capability.Capability, b capability.Base) (capability.Capability, error) {
	c, err := c.Resolve(b)
	if err != nil {
		return c, err
	}
	pattern, ok := c.Pattern()
	if !ok {
		return c, nil
	}
	path, literal := pattern.Literal()
	if !literal {
		path = pattern.Root()
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return c, nil // what is not there is refused when its object is looked for
	}
	if literal {
		return capability.ForPath(c.Kind(), real)
	}
	return rebase(c, path, real)
}

// closing are the capabilities that a denial of c closes: c as settle answers
// it, and for each symbolic link on the way the name of that link. Closed alone,
// what a link leads to would leave the link to be replaced by another.
func closing(c capability.Capability, b capability.Base) ([]capability.Capability, error) {
	c, err := c.Resolve(b)
	if err != nil {
		return nil, err
	}
	pattern, _ := c.Pattern()
	path, literal := pattern.Literal()
	if !literal || c.Kind() == capability.ProcessSpawn { // what is executed is the program, however it is named
		c, err = settle(c, b)
		return []capability.Capability{c}, err
	}
	names, err := view.Names(path)
	if err != nil {
		return nil, err
	}
	var closed []capability.Capability
	for _, name := range names {
		c, err := capability.ForPath(c.Kind(), name)
		if err != nil {
			return nil, err
		}
		closed = append(closed, c)
	}
	return closed, nil
}

// rebase puts a glob that starts at one folder on another.
func rebase(c capability.Capability, from, to string) (capability.Capability, error) {
	var head [2]string // as they are written in a scope
	for i, path := range []string{from, to} {
		if path == "/" {
			continue
		}
		f, err := capability.ForPath(c.Kind(), path)
		if err != nil {
			return c, err
		}
		head[i] = f.Scope()
	}
	rest, ok := strings.CutPrefix(c.Scope(), head[0])
	if !ok {
		return c, fmt.Errorf("internal error: %s does not begin with %s", c.Display(), head[0])
	}
	return capability.Parse(string(c.Kind()) + ":" + head[1] + rest)
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
