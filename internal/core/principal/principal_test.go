package principal_test

import (
	"testing"

	"ambit.dev/ambit/internal/core/principal"
)

// What each principal sees: an organisation its own, the machine's also theirs, and
// nobody what another machine user has.
func TestSees(t *testing.T) {
	t.Parallel()
	acme, beta := principal.Of("uid:1", "acme"), principal.Of("uid:1", "beta")
	for _, tc := range []struct {
		principal, owner string
		sees             bool
	}{
		{acme, acme, true}, {acme, beta, false}, {acme, "uid:1", false}, {acme, "uid:1@acme2", false}, {acme, "uid:1@ac", false},
		{acme, "", false}, {acme, "uid:2@acme", false}, {acme, "uid:1@acme@beta", false},
		{"uid:1", acme, true}, {"uid:1", beta, true}, {"uid:1", "uid:1", true}, {"uid:1", "uid:11", false}, {"uid:1", "uid:11@acme", false},
		{"uid:1", "", false}, {"uid:1", "uid:2", false}, {"", acme, false}, {"", "@acme", false}, {"", "uid:1", false},
	} {
		if got := principal.Sees(tc.principal, tc.owner); got != tc.sees {
			t.Errorf("%q sees what %q has: %v", tc.principal, tc.owner, got)
		}
	}
}

// How principals are spelled stands in stores and logs.
func TestSpelling(t *testing.T) {
	t.Parallel()
	user := principal.User(1000)
	acme := principal.Of(user, "acme")
	if user != "uid:1000" || acme != "uid:1000@acme" || principal.Of(user, "") != user || principal.Org(acme) != "acme" || principal.Org(user) != "" {
		t.Errorf("%q, %q, of %q and %q", user, acme, principal.Org(user), principal.Org(acme))
	}
}
