package main

import (
	"slices"
	"testing"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
)

// TestUseCounter: a use counts after the launch, once a session, and only where it
// can be told from no use.
func TestUseCounter(t *testing.T) {
	var wants []capability.Capability
	for _, text := range []string{"fs.read:/a", "fs.read:/b", "net.connect:example.org", "secret.use:token@example.org:443", "process.spawn"} {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		wants = append(wants, c)
	}
	launch := audit.LaunchBody{Capabilities: []audit.Text{"fs.read:/a", "net.connect:example.org", "secret.use:token@example.org:443", "process.spawn"}}
	allow := func(c audit.Text) audit.DecisionBody { return audit.DecisionBody{Capability: c, Outcome: "allow"} }
	watched := audit.EndBody{Status: "exited", Uses: []audit.UseBody{{Capability: "fs.read:/a", Used: true}, {Capability: "fs.read:/b"}}}
	for name, tc := range map[string]struct {
		bodies   []audit.Body
		sessions int
		want     [5]useReport
	}{
		"nothing":            {nil, 0, [5]useReport{}},
		"one that goes on":   {[]audit.Body{launch, allow("net.connect:example.org:443")}, 0, [5]useReport{}},
		"one that was not":   {[]audit.Body{launch, audit.EndBody{Status: "refused"}}, 0, [5]useReport{}},
		"files":              {[]audit.Body{launch, watched}, 1, [5]useReport{{1, 1}, {1, 0}, {1, 0}, {1, 0}, {}}},
		"not watched":        {[]audit.Body{launch, audit.EndBody{Status: "exited"}}, 1, [5]useReport{{}, {}, {1, 0}, {1, 0}, {}}},
		"before the launch":  {[]audit.Body{allow("net.connect:example.org:443"), launch, watched}, 1, [5]useReport{{1, 1}, {1, 0}, {1, 0}, {1, 0}, {}}},
		"after it":           {[]audit.Body{launch, allow("net.connect:example.org:443"), allow("net.connect:example.org:80"), watched}, 1, [5]useReport{{1, 1}, {1, 0}, {1, 1}, {1, 0}, {}}},
		"another one":        {[]audit.Body{launch, allow("net.connect:example.com:443"), watched}, 1, [5]useReport{{1, 1}, {1, 0}, {1, 0}, {1, 0}, {}}},
		"denied":             {[]audit.Body{launch, audit.DecisionBody{Capability: "net.connect:example.org:443", Outcome: "deny"}, watched}, 1, [5]useReport{{1, 1}, {1, 0}, {1, 0}, {1, 0}, {}}},
		"asked and answered": {[]audit.Body{launch, allow("fs.read:/b/x"), audit.EndBody{Status: "killed"}}, 1, [5]useReport{{}, {1, 1}, {1, 0}, {1, 0}, {}}},
		"a secret":           {[]audit.Body{launch, allow("secret.use:token@example.org:443"), audit.EndBody{Status: "exited"}}, 1, [5]useReport{{}, {}, {1, 0}, {1, 1}, {}}},
		"two":                {[]audit.Body{launch, watched, launch, watched}, 2, [5]useReport{{2, 2}, {2, 0}, {2, 0}, {2, 0}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUseCounter(wants)
			for _, b := range tc.bodies {
				r, err := audit.New(b)
				if err != nil {
					t.Fatal(err)
				}
				r.Session = "s-1"
				if err := u.add(r); err != nil {
					t.Fatal(err)
				}
			}
			if u.sessions != tc.sessions || !slices.Equal(u.uses, tc.want[:]) {
				t.Errorf("%d sessions, %v; want %d, %v", u.sessions, u.uses, tc.sessions, tc.want)
			}
		})
	}
}
