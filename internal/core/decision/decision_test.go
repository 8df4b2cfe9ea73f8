package decision_test

import (
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func must(t testing.TB, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDecide(t *testing.T) {
	allow := func(text string) grant.Grant {
		return grant.Grant{ID: "g-" + text, Principal: "u", Capability: must(t, text), Outcome: grant.Allow, Lifespan: grant.Lifespan{Span: grant.Always}}
	}
	deny := func(text string) grant.Grant {
		g := allow(text)
		g.Outcome = grant.Deny
		return g
	}
	for _, tc := range []struct {
		name   string
		ask    string
		grants []grant.Grant
		want   decision.Outcome
		rule   decision.Rule
	}{
		{"nothing", "fs.read:/a", nil, decision.Deny, decision.NotGranted},
		{"allowed", "fs.read:/a/b", []grant.Grant{allow("fs.read:/a")}, decision.Allow, decision.Allowed},
		{"denied beneath", "fs.read:/a/b/c", []grant.Grant{allow("fs.read:/a"), deny("fs.read:/a/b")}, decision.Deny, decision.Denied},
		{"wider than a deny", "fs.read:/a", []grant.Grant{allow("fs.read:/a"), deny("fs.read:/a/b")}, decision.Allow, decision.Allowed},
		{"writing where reading is denied", "fs.write:/a/b/c", []grant.Grant{allow("fs.write:/a"), deny("fs.read:/a/b")}, decision.Deny, decision.Denied},
	} {
		r := decision.Request{ID: "d-1", Subject: decision.Subject{Principal: "u"}, Capability: must(t, tc.ask)}
		d := decision.Decide(r, decision.Input{Manifest: manifest.AdHoc([]string{"x"}), Grants: tc.grants, Now: now})
		if d.Outcome != tc.want || d.Reasons[0].Rule != tc.rule {
			t.Errorf("%s: got %+v", tc.name, d)
		}
	}
}
