// Package enforcetest holds the suite that every tier passes: the same
// attempts and the same denials, what must still work, and that nothing is
// left.
//
// It makes plans with enforce.Compile from what it finds on this host, and
// starts them with the tier under test. What it tries are scripts for sh and
// python3, which the host must have; git, node, go and curl are tried where
// they are. The attacks with programs of their own are in test/escape.
//
// Layer: beside the tiers, for their tests only.
package enforcetest

import (
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// Differences are where a tier answers otherwise than the process tier, each by a
// name. The zero value has none. Each is a row of THREATMODEL.md.
type Differences struct {
	Tier string // what plans promise; "" is the process tier
	// OwnKernel: the program has a kernel of its own. What it may do to that is no
	// attempt on the host, and its processes are none of the host's.
	OwnKernel bool
	OwnLink   bool // its link is a device of its own kernel, with no other end there
	NoFilter  bool // no system call filter of ours is inside: its kernel does for itself what only that forbids
	NoHide    bool // what was granted cannot be taken away while the program runs
	NoEnter   bool // no program can be started in a session that runs
	Cuts      bool // what a program has open of what is taken away it cannot read any more
	Strays    bool // what a later program has put out of its own tree ends with the session, and not with it
	OwnGroups bool // what enters has a control group of its own, beneath that of the first program
	TextOnly  bool // arguments that are not text are refused
	// OwnHome: HOME is set where the environment has none, and the variables come in
	// any order.
	OwnHome bool
}

// RunDenied runs the part of the suite that tries what must not be, for a tier in
// which each attempt takes a second and more: those that are named, or all.
func RunDenied(t *testing.T, tier enforce.Tier, f enforce.Facts, d Differences, names ...string) {
	t.Run("Denied", func(t *testing.T) { suite{tier, f, d}.denied(t, names...) })
}

// RunEntered runs the part of the suite about programs that enter.
func RunEntered(t *testing.T, tier enforce.Tier, f enforce.Facts, d Differences) {
	suite{tier, f, d}.entered(t)
}

// Run runs the suite.
func Run(t *testing.T, tier enforce.Tier, f enforce.Facts) { RunWith(t, tier, f, Differences{}) }

// RunWith runs the suite for a tier that differs.
func RunWith(t *testing.T, tier enforce.Tier, f enforce.Facts, d Differences) {
	s := suite{tier, f, d}
	t.Run("Denied", func(t *testing.T) { s.denied(t) })
	t.Run("Works", s.works)
	t.Run("Streams", s.streams)
	t.Run("Ends", s.ends)
	t.Run("Homes", s.homes)
	t.Run("Replaced", s.replaced)
	if !d.NoHide {
		t.Run("Hidden", s.hidden)
		t.Run("Within", s.within)
	}
	if !d.NoEnter {
		t.Run("Entered", s.entered)
	}
	t.Run("Paused", s.paused)
	t.Run("Refused", s.refused)
	t.Run("Report", s.report)
	t.Run("NothingLeft", s.nothingLeft)
}

// compile makes a plan of the tier under test.
func (s suite) compile(in enforce.Input) (enforce.Plan, error) {
	in.Tier = s.differs.Tier
	return enforce.Compile(in, s.facts)
}

// suite is what is tested.
type suite struct {
	tier    enforce.Tier
	facts   enforce.Facts
	differs Differences
}
