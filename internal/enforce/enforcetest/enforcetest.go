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

// Run runs the suite.
func Run(t *testing.T, tier enforce.Tier, f enforce.Facts) {
	s := suite{tier, f}
	t.Run("Denied", s.denied)
	t.Run("Works", s.works)
	t.Run("Streams", s.streams)
	t.Run("Ends", s.ends)
	t.Run("Homes", s.homes)
	t.Run("Replaced", s.replaced)
	t.Run("Hidden", s.hidden)
	t.Run("Within", s.within)
	t.Run("Paused", s.paused)
	t.Run("Refused", s.refused)
	t.Run("Report", s.report)
	t.Run("NothingLeft", s.nothingLeft)
}

// suite is what is tested.
type suite struct {
	tier  enforce.Tier
	facts enforce.Facts
}
