package server

import "testing"

// What each principal sees: an organisation its own, the machine's also theirs, and
// nobody what another machine user has.
func TestSees(t *testing.T) {
	t.Parallel()
	acme, beta := Of("uid:1", "acme"), Of("uid:1", "beta")
	for _, tc := range []struct {
		principal, owner string
		sees, record     bool
	}{
		{acme, acme, true, true}, {acme, beta, false, false}, {acme, "uid:1", false, false}, {acme, "uid:1@acme2", false, false}, {acme, "uid:1@ac", false, false},
		{acme, "", false, false}, {acme, "uid:2@acme", false, false}, {acme, "uid:1@acme@beta", false, false},
		{"uid:1", acme, true, true}, {"uid:1", beta, true, true}, {"uid:1", "uid:1", true, true}, {"uid:1", "uid:11", false, false}, {"uid:1", "uid:11@acme", false, false},
		{"uid:1", "", false, true}, {"uid:1", "uid:2", false, false}, {"", acme, false, false}, {"", "@acme", false, false}, {"", "uid:1", false, false},
	} {
		if got := sees(tc.principal, tc.owner); got != tc.sees {
			t.Errorf("%q sees what %q has: %v", tc.principal, tc.owner, got)
		}
		if got := seesRecord(tc.principal, tc.owner); got != tc.record {
			t.Errorf("%q sees a record of %q: %v", tc.principal, tc.owner, got)
		}
	}
}
