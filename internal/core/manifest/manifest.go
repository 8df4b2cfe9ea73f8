// Package manifest holds what a pack says it needs: who it is, how it starts,
// and which capabilities it wants.
//
// Parse reads ambit.json, and aip.json of other systems. A manifest asks, it
// gives nothing: what is not declared in it cannot be granted, and what is
// declared still has to be.
//
// Invariants:
//
//   - A file is understood as a whole or refused with its line: unknown and
//     repeated keys, wrong types and anything after the end are errors. (Of a
//     foreign file the keys that are not about rights are left alone.)
//   - Two manifests with equal Canonical bytes ask for the same; the digest of a
//     pack is taken over those bytes, so comments and order do not change it.
//   - Only AdHoc makes a manifest that declares everything. No file can.
//
// Layer: core. It does no I/O and reads no clock.
package manifest

import (
	"slices"

	"ambit.dev/ambit/internal/core/capability"
)

// Kind is the kind of a pack, from which its tier follows.
type Kind string

// The kinds of packs.
const (
	CLITool       Kind = "cli-tool"
	MCPTool       Kind = "mcp-tool"
	HeadlessApp   Kind = "headless-app"
	DesktopApp    Kind = "desktop-app"
	SystemService Kind = "system-service"
	Agent         Kind = "agent"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{CLITool, MCPTool, HeadlessApp, DesktopApp, SystemService, Agent}
}

// What becomes of the home that a pack sees.
const (
	HomeNone      = "none"      // there is none
	HomeEphemeral = "ephemeral" // empty at each start, gone at the end
	HomePrivate   = "private"   // the pack's own, kept
)

// The files that are read.
const (
	File        = "ambit.json"
	ForeignFile = "aip.json"
)

// Want is one capability that a pack asks for.
type Want struct {
	Capability capability.Capability
	Reason     string
	Optional   bool   // the pack is useful without it
	Env        string // of secret.use: the variable that has the placeholder; "" is the secret's
	Zone       string // the zone that it is for, "" if none
	Source     bool   // of a zone: it is the host's folder that is shown, not the place
}

// Manifest is what a pack says of itself. The zero value declares nothing.
type Manifest struct {
	ID          string
	Name        string
	Version     string
	Kind        Kind
	Description string
	Entry       []string // argv; the first is "./…" in the pack, or a command
	Wants       []Want   // those of zones come last
	Zones       []Zone   // in the order of names
	Env         []string // names let through from the user's environment
	Limits      map[string]string
	Home        string
	Source      string // the file it was read from, "" if none
	Open        bool   // declares everything; ad hoc runs only
}

// AdHoc returns the manifest of a command that is run without a pack. It
// declares everything, so that whatever is granted decides.
func AdHoc(argv []string) Manifest {
	m := Manifest{Kind: CLITool, Entry: slices.Clone(argv), Home: HomeEphemeral, Open: true}
	if len(argv) > 0 {
		m.Name = argv[0]
	}
	return m
}

// Declares returns the want that covers c, of several the first.
func (m Manifest) Declares(c capability.Capability) (Want, bool) {
	if m.Open && !c.IsZero() {
		return Want{Capability: c}, true
	}
	for _, w := range m.Wants {
		if w.Capability.Covers(c) {
			return w, true
		}
	}
	return Want{}, false
}

// Resolve returns m with every want resolved. m is not changed.
func (m Manifest) Resolve(b capability.Base) (Manifest, error) {
	m.Wants = slices.Clone(m.Wants)
	for i := range m.Wants {
		c, err := m.Wants[i].Capability.Resolve(b)
		if err != nil {
			return Manifest{}, err
		}
		m.Wants[i].Capability = c
	}
	return m, nil
}
