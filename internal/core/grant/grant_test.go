package grant_test

import (
	"testing"
	"time"

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

// TestZero holds that a grant nobody filled in changes nothing.
func TestZero(t *testing.T) {
	var g grant.Grant
	if g.Outcome != grant.Deny || g.Lifespan.Span != grant.Once || g.Check() == nil || g.Capability.Covers(g.Capability) {
		t.Errorf("%+v", g)
	}
}

func TestString(t *testing.T) {
	for want, l := range map[string]grant.Lifespan{
		"once":                            {},
		"once s":                          {Session: "s"},
		"once until 2026-03-01T12:00:00Z": {Until: now},
		"session s":                       {Span: grant.Session, Session: "s"},
		"until 2026-03-01T12:00:00Z":      {Span: grant.Until, Until: now},
		"always":                          {Span: grant.Always},
		"span 9":                          {Span: 9},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if grant.Allow.String() != "allow" || grant.Deny.String() != "deny" || grant.Outcome(7).String() != "deny" {
		t.Error("outcomes")
	}
}
