package grant_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestApplies(t *testing.T) {
	later, before := now.Add(time.Hour), now.Add(-time.Hour)
	for _, tc := range []struct {
		name         string
		lifespan     grant.Lifespan
		revoked      time.Time
		deny, allows bool // what a Deny and an Allow with it do
	}{
		{"once", grant.Lifespan{}, time.Time{}, true, true},
		{"once in the session", grant.Lifespan{Session: "s"}, time.Time{}, true, true},
		{"once in another session", grant.Lifespan{Session: "t"}, time.Time{}, false, false},
		{"once, too late", grant.Lifespan{Until: before}, time.Time{}, false, false},
		{"session", grant.Lifespan{Span: grant.Session, Session: "s"}, time.Time{}, true, true},
		{"another session", grant.Lifespan{Span: grant.Session, Session: "t"}, time.Time{}, false, false},
		{"session of no name", grant.Lifespan{Span: grant.Session}, time.Time{}, true, false},
		{"until later", grant.Lifespan{Span: grant.Until, Until: later}, time.Time{}, true, true},
		{"until now", grant.Lifespan{Span: grant.Until, Until: now}, time.Time{}, false, false},
		{"until never", grant.Lifespan{Span: grant.Until}, time.Time{}, true, false},
		{"always", grant.Lifespan{Span: grant.Always}, time.Time{}, true, true},
		{"always with a time", grant.Lifespan{Span: grant.Always, Until: later}, time.Time{}, true, false},
		{"unknown span", grant.Lifespan{Span: 9}, time.Time{}, true, false},
		{"revoked", grant.Lifespan{Span: grant.Always}, before, false, false},
	} {
		for outcome, want := range map[grant.Outcome]bool{grant.Deny: tc.deny, grant.Allow: tc.allows} {
			g := grant.Grant{Outcome: outcome, Lifespan: tc.lifespan, Revoked: tc.revoked}
			if got := g.Applies(now, "s"); got != want {
				t.Errorf("%s, %s: got %v, want %v", tc.name, outcome, got, want)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	c, err := capability.Parse("fs.read:/a/\xff*")
	if err != nil {
		t.Fatal(err)
	}
	g := grant.Grant{
		ID: "g-1", Principal: "u", Pack: "org.example", Digest: "sha256:00", Capability: c, Outcome: grant.Allow,
		Lifespan: grant.Lifespan{Span: grant.Until, Until: now}, Origin: "command line", Reason: "why", Created: now,
	}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back grant.Grant
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.Capability != g.Capability {
		t.Errorf("capability: got %q, want %q", back.Capability, g.Capability)
	}
	g.Capability, back.Capability = capability.Capability{}, capability.Capability{}
	if diff := cmp.Diff(g, back, cmp.AllowUnexported(capability.Capability{})); diff != "" {
		t.Error(diff)
	}
}
