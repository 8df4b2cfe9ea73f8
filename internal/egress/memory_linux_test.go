package egress

import (
	"fmt"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// decided is the answer to a request by grants of a principal "u"; those that begin
// with "no " deny.
func decided(t *testing.T, text string, span grant.Lifespan, grants ...string) (capability.Capability, decision.Decision) {
	t.Helper()
	in := decision.Input{Manifest: manifest.AdHoc(nil), Now: time.Now()}
	for _, g := range grants {
		outcome := grant.Allow
		if g[:3] == "no " {
			outcome, g = grant.Deny, g[3:]
		}
		in.Grants = append(in.Grants, grant.Grant{ID: "g", Principal: "u", Capability: parsed(t, g), Outcome: outcome, Lifespan: span})
	}
	c := parsed(t, text)
	return c, decision.Decide(decision.Request{ID: "d", Subject: decision.Subject{Principal: "u"}, Capability: c}, in)
}

func parsed(t *testing.T, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var always = grant.Lifespan{Span: grant.Always}

// TestMemoryCovers: what is answered by memory is what the answer covers, at its
// destination, and nothing beside it.
func TestMemoryCovers(t *testing.T) {
	get := "net.connect:a.com:443/http:GET:/a/b"
	for name, tc := range map[string]struct {
		ask    string
		grants []string
		span   grant.Lifespan
		yes    []string
		no     []string
	}{
		"a flow": {"net.connect:a.com:443", []string{"net.connect:*.com:*"}, always,
			[]string{"net.connect:a.com:443", get}, []string{"net.connect:b.com:443", "net.connect:a.com:80", "net.connect:a.com:443/udp", "net.stream:a.com:443"}},
		"a rule": {get, []string{"net.connect:a.com/http:GET:/a/**"}, always,
			[]string{get, "net.connect:a.com:443/http:HEAD:/a/c", "net.connect:a.com:443/http:GET:/a"},
			[]string{"net.connect:a.com:443", "net.connect:a.com:443/http:PUT:/a/b", "net.connect:a.com:443/http:GET:/b", "net.connect:a.com:443/http:GET", "net.connect:a.com:80/http:GET:/a/b", "net.connect:b.com:443/http:GET:/a/b"}},
		"a denial inside": {get, []string{"net.connect:a.com", "no net.connect:a.com/http:GET:/a/c"}, always,
			[]string{get}, []string{"net.connect:a.com:443", "net.connect:a.com:443/http:GET:/a/c", "net.connect:a.com:443/http:GET:/a/d", "net.connect:a.com:443/http:HEAD:/a/b"}},
		"once":       {get, []string{"net.connect:a.com"}, grant.Lifespan{Span: grant.Once}, nil, []string{get}},
		"denied":     {get, []string{"no net.connect:a.com"}, always, nil, []string{get}},
		"undecided":  {get, nil, always, nil, []string{get}},
		"two places": {"net.connect:a.com", []string{"net.connect:a.com"}, always, nil, []string{"net.connect:a.com", "net.connect:a.com:443"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			m.init(time.Now)
			c, d := decided(t, tc.ask, tc.span, tc.grants...)
			m.keep(m.begin(), c, d)
			for range 2 { // the second time it is the same again
				for _, text := range tc.yes {
					if got, _, use, ok := m.find(parsed(t, text)); !ok || got.Request != d.Request || use == 0 {
						t.Errorf("%s is not remembered", text)
					}
				}
				for _, text := range tc.no {
					if got, _, _, ok := m.find(parsed(t, text)); ok {
						t.Errorf("%s is answered with %+v", text, got)
					}
				}
			}
		})
	}
}

// TestMemoryEnds: an answer is over with its grant, with its lease, and when grants
// have changed, also one that was on its way then.
func TestMemoryEnds(t *testing.T) {
	begun := time.Now()
	soon := grant.Lifespan{Span: grant.Until, Until: begun.Add(lease / 2)}
	for name, tc := range map[string]struct {
		span  grant.Lifespan
		after time.Duration
		ok    bool
	}{
		"at once":               {always, 0, true},
		"within its lease":      {always, lease - 1, true},
		"after its lease":       {always, lease, false},
		"before its grant ends": {soon, lease/2 - 1, true},
		"when its grant ends":   {soon, lease / 2, false},
	} {
		for _, text := range []string{"net.connect:a.com:443/http:GET:/a", "net.connect:a.com:443/http:GET:/b"} { // the same, and what is covered too
			now := begun
			var m memory
			m.init(func() time.Time { return now })
			c, d := decided(t, "net.connect:a.com:443/http:GET:/a", tc.span, "net.connect:a.com")
			m.keep(m.begin(), c, d)
			if _, _, _, ok := m.find(parsed(t, text)); !ok {
				t.Fatal("it is not remembered at all")
			}
			now = now.Add(tc.after)
			if _, _, _, ok := m.find(parsed(t, text)); ok != tc.ok {
				t.Errorf("%s, %s: remembered %v", name, text, ok)
			}
		}
	}
	var m memory
	m.init(time.Now)
	c, d := decided(t, "net.connect:a.com:443", always, "net.connect:a.com")
	before := m.begin()
	m.keep(before, c, d)
	m.forget()
	if _, _, _, ok := m.find(c); ok {
		t.Error("it is remembered though grants have changed")
	}
	m.keep(before, c, d)
	if _, _, _, ok := m.find(c); ok {
		t.Error("an answer of before the change is remembered")
	}
}

// TestMemoryBounded: thousands of requests and destinations take no more than there
// is room for.
func TestMemoryBounded(t *testing.T) {
	var m memory
	m.init(time.Now)
	for i := range 3 * maxHeld {
		c, d := decided(t, fmt.Sprintf("net.connect:h%d.com:443", i), always, "net.connect:*")
		m.keep(m.begin(), c, d)
		c, d = decided(t, fmt.Sprintf("net.connect:a.com:443/http:GET:/%d", i), always, fmt.Sprintf("net.connect:a.com/http:GET:/%d", i))
		m.keep(m.begin(), c, d)
		m.find(parsed(t, fmt.Sprintf("net.connect:h%d.com:443/http:GET:/x", i)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.same) > maxHeld || len(m.wider) > maxHeld || len(m.wider[parsed(t, "net.connect:a.com:443")]) > maxWider {
		t.Errorf("%d requests, %d destinations", len(m.same), len(m.wider))
	}
}
