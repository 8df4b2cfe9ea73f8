package server

import (
	"testing"

	"ambit.dev/ambit/internal/core/principal"
)

// Of records each principal sees what it sees of anything else, and who runs the machine
// also what is nobody's.
func TestSeesRecord(t *testing.T) {
	t.Parallel()
	acme, beta := principal.Of("uid:1", "acme"), principal.Of("uid:1", "beta")
	for _, tc := range []struct {
		principal, owner string
		record           bool
	}{
		{acme, acme, true}, {acme, beta, false}, {acme, "uid:1", false}, {acme, "uid:1@acme2", false}, {acme, "uid:1@ac", false},
		{acme, "", false}, {acme, "uid:2@acme", false}, {acme, "uid:1@acme@beta", false},
		{"uid:1", acme, true}, {"uid:1", beta, true}, {"uid:1", "uid:1", true}, {"uid:1", "uid:11", false}, {"uid:1", "uid:11@acme", false},
		{"uid:1", "", true}, {"uid:1", "uid:2", false}, {"", acme, false}, {"", "@acme", false}, {"", "uid:1", false},
	} {
		if got := seesRecord(tc.principal, tc.owner); got != tc.record {
			t.Errorf("%q sees a record of %q: %v", tc.principal, tc.owner, got)
		}
	}
}
