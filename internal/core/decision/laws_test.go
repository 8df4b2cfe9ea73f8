package decision_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// few are capabilities that have to do with each other.
var few = []string{
	"fs.read:/a", "fs.read:/a/b", "fs.read:/a/*", "fs.write:/a", "fs.write:/a/b", "fs.append:/a/b", "fs.read:/ab", "fs.read:~/a", "fs.read:a",
	"net.connect:*", "net.connect:a.com", "net.connect:a.com:443", "net.connect:127.0.0.1",
	"net.connect:a.com/http:GET", "net.connect:a.com:443/http:GET:/a", "net.connect:a.com:443/http:PUT:/a", "net.stream:a.com/http:/a/**", "net.stream:a.com:443/http:GET:/a",
	"net.connect:a.com:443/http:HEAD:/a", "net.connect:a.com:443/http", "net.stream:*.com:443", "net.connect:a.com:80", "net.connect:127.0.0.1:443", "process.spawn", "process.spawn:/a/b", "host.execute", "",
}

// slowly answers obviously what Decide answers with reasons: may it be done? It
// knows neither reasons nor order, only what must all hold.
func slowly(r decision.Request, in decision.Input) decision.Outcome {
	// What is denied, by anybody whose word counts.
	denials := append([]capability.Capability{}, in.Policy.Forbid...)
	var allowed []capability.Capability
	for _, g := range in.Grants {
		mine := g.Principal == r.Subject.Principal && g.Pack == r.Subject.Pack
		switch {
		case !mine || !g.Revoked.IsZero():
		case g.Outcome != grant.Allow:
			sane := g.Lifespan.Check() == nil
			over := !g.Lifespan.Until.IsZero() && !in.Now.Before(g.Lifespan.Until)
			elsewhere := g.Lifespan.Session != "" && g.Lifespan.Session != r.Subject.Session
			if g.Capability.IsZero() || sane && (over || elsewhere) {
				continue
			}
			denials = append(denials, g.Capability)
		case g.Lifespan == grant.Lifespan{Span: grant.Always},
			g.Lifespan.Span == grant.Session && g.Lifespan.Until.IsZero() && g.Lifespan.Session != "" && g.Lifespan.Session == r.Subject.Session,
			g.Lifespan.Span == grant.Until && g.Lifespan.Session == "" && in.Now.Before(g.Lifespan.Until),
			g.Lifespan.Span == grant.Once && (g.Lifespan.Until.IsZero() || in.Now.Before(g.Lifespan.Until)) &&
				(g.Lifespan.Session == "" || g.Lifespan.Session == r.Subject.Session):
			allowed = append(allowed, g.Capability)
		}
	}
	parts := []string{r.Capability.String()}
	if scope, ok := strings.CutPrefix(parts[0], "fs.write:"); ok {
		parts = append(parts, "fs.read:"+scope, "fs.append:"+scope)
	}
	if scope, ok := strings.CutPrefix(parts[0], "net.stream:"); ok {
		parts = append(parts, "net.connect:"+scope)
	}
	for _, d := range denials {
		for _, p := range parts {
			part, err := capability.Parse(p)
			if err != nil || !d.Resolved() || d.Covers(part) {
				return decision.Deny
			}
		}
	}
	declared := in.Manifest.Open
	for _, w := range in.Manifest.Wants {
		declared = declared || w.Capability.Covers(r.Capability)
	}
	if !declared || !r.Capability.Resolved() {
		return decision.Deny
	}
	for _, c := range append(allowed, in.Policy.Preapprove...) {
		if c.Covers(r.Capability) {
			return decision.Allow
		}
	}
	if r.CanAsk {
		return decision.Ask
	}
	return decision.Deny
}

// draw makes values from choices, so that rapid and the fuzzer share them.
type draw func(n int) int

func (d draw) capability() capability.Capability {
	c := capability.Capability{}
	_ = c.UnmarshalText([]byte(few[d(len(few))]))
	return c
}

func (d draw) capabilities() []capability.Capability {
	out := make([]capability.Capability, d(3))
	for i := range out {
		out[i] = d.capability()
	}
	return out
}

func (d draw) time() time.Time {
	return []time.Time{{}, now.Add(-time.Hour), now, now.Add(time.Hour)}[d(4)]
}

func (d draw) text() string { return []string{"", "s", "t"}[d(3)] }

func (d draw) grant() grant.Grant {
	g := grant.Grant{
		ID: []string{"g-1", "g-2", "g-3"}[d(3)], Principal: []string{"u", "u", "v"}[d(3)], Pack: []string{"p", "p", ""}[d(3)],
		Capability: d.capability(), Outcome: grant.Outcome([]int{0, 1, 1, 1, 2}[d(5)]),
		Lifespan: grant.Lifespan{Span: grant.Span([]int{0, 1, 2, 3, 3, 3, 4}[d(7)])},
	}
	if d(2) == 0 {
		g.Lifespan.Session, g.Lifespan.Until = d.text(), d.time()
	}
	if d(8) == 0 {
		g.Revoked = now
	}
	return g
}

func (d draw) input() (decision.Request, decision.Input) {
	r := decision.Request{
		ID: "d-1", Subject: decision.Subject{Principal: "u", Pack: "p", Session: d.text()}, Capability: d.capability(), CanAsk: d(2) == 0,
	}
	in := decision.Input{Manifest: manifest.Manifest{Open: d(2) == 0}, Now: now}
	for range d(4) {
		in.Manifest.Wants = append(in.Manifest.Wants, manifest.Want{Capability: d.capability()})
	}
	for range d(6) {
		in.Grants = append(in.Grants, d.grant())
	}
	if d(2) == 0 {
		in.Policy = decision.Policy{Forbid: d.capabilities(), Preapprove: d.capabilities()}
	}
	return r, in
}

func reversed(list []capability.Capability) []capability.Capability {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// laws are what holds of every decision.
func laws(t interface{ Fatalf(string, ...any) }, d draw) {
	r, in := d.input()
	got := decision.Decide(r, in)
	if want := slowly(r, in); got.Outcome != want {
		t.Fatalf("%+v\n%+v\ngot %+v\nwant %s", r, in, got, want)
	}
	if len(got.Reasons) == 0 || got.Reasons[0].Text == "" {
		t.Fatalf("%+v gives no reason", got)
	}

	shuffled := in
	shuffled.Grants = append([]grant.Grant{}, in.Grants...)
	seed := rand.New(rand.NewPCG(uint64(d(100)), 1))
	seed.Shuffle(len(in.Grants), func(i, j int) {
		shuffled.Grants[i], shuffled.Grants[j] = shuffled.Grants[j], shuffled.Grants[i]
	})
	shuffled.Policy.Forbid = reversed(in.Policy.Forbid)
	shuffled.Policy.Preapprove = reversed(in.Policy.Preapprove)
	if again := decision.Decide(r, shuffled); !cmp.Equal(again, got, capabilities) {
		t.Fatalf("another order, another answer:\n%+v\n%+v", got, again)
	}

	standing(t, r, in, got)

	none := in
	none.Grants, none.Policy.Preapprove = nil, nil
	if d := decision.Decide(r, none); d.Outcome == decision.Allow {
		t.Fatalf("allowed by nobody: %+v", d)
	}
	tighter := in
	deny := d.grant()
	deny.Outcome = grant.Deny
	tighter.Grants = append([]grant.Grant{deny}, in.Grants...)
	tighter.Policy.Forbid = append(d.capabilities(), in.Policy.Forbid...)
	if d := decision.Decide(r, tighter); d.Outcome == decision.Allow && got.Outcome != decision.Allow || d.Outcome == decision.Ask && got.Outcome == decision.Deny {
		t.Fatalf("one denial more turned %+v into %+v", got, d)
	}
	undeclared := in
	undeclared.Manifest = manifest.Manifest{}
	if d := decision.Decide(r, undeclared); d.Outcome != decision.Deny {
		t.Fatalf("nothing was declared, and yet %+v", d)
	}
	if narrower := d.capability(); got.Outcome == decision.Allow && narrower.Resolved() && r.Capability.Covers(narrower) {
		r.Capability = narrower
		if d := decision.Decide(r, in); d.Outcome != decision.Allow && d.Reasons[0].Rule != decision.Denied && d.Reasons[0].Rule != decision.Forbidden {
			t.Fatalf("more was allowed, but %s is not: %+v", narrower, d)
		}
	}
}

// standing holds that what is said to be allowed too is, for as long as it is said.
func standing(t interface{ Fatalf(string, ...any) }, r decision.Request, in decision.Input, got decision.Decision) {
	s := got.Stands
	if s == nil {
		return
	}
	if got.Outcome != decision.Allow {
		t.Fatalf("%+v stands", got)
	}
	for _, text := range few {
		var c capability.Capability
		_ = c.UnmarshalText([]byte(text))
		if c != r.Capability && !s.Also.Covers(c) {
			continue
		}
		for _, later := range []time.Duration{0, time.Hour - 1, time.Hour, 2 * time.Hour} {
			again, then := r, in
			again.Capability, then.Now = c, now.Add(later)
			if !s.Until.IsZero() && !then.Now.Before(s.Until) {
				continue
			}
			if d := decision.Decide(again, then); d.Outcome != decision.Allow {
				t.Fatalf("%+v\n%+v\nstands as %+v\nand yet %s after %v: %+v", r, in, *s, c, later, d)
			}
		}
	}
}

// TestStands holds what stands for more than itself, and what does not.
func TestStands(t *testing.T) {
	always := func(text string) grant.Grant { return given(t, "g", grant.Allow, text) }
	deny := func(text string) grant.Grant { return given(t, "g-deny", grant.Deny, text) }
	once := changed(always("net.connect:a.com"), func(g *grant.Grant) { g.Lifespan = grant.Lifespan{Span: grant.Once} })
	until := changed(always("net.connect:a.com"), func(g *grant.Grant) {
		g.Lifespan = grant.Lifespan{Span: grant.Until, Until: now.Add(time.Minute)}
	})
	get := "net.connect:a.com:443/http:GET:/a"
	for name, tc := range map[string]struct {
		ask    string
		grants []grant.Grant
		policy decision.Policy
		wants  []string // declared by the manifest; nil: all
		want   *decision.Stands
	}{
		"a flow":                         {ask: "net.connect:a.com:443", grants: []grant.Grant{always("net.connect:a.com")}, want: &decision.Stands{Also: must(t, "net.connect:a.com:443")}},
		"a request by its rule":          {ask: get, grants: []grant.Grant{always("net.connect:*.com/http:GET:/**")}, want: &decision.Stands{Also: must(t, "net.connect:a.com:443/http:GET")}},
		"by policy":                      {ask: get, policy: decision.Policy{Preapprove: all(t, "net.connect:a.com/http:GET:/a/**")}, want: &decision.Stands{Also: must(t, "net.connect:a.com:443/http:GET:/a/**")}},
		"until a time":                   {ask: get, grants: []grant.Grant{until}, want: &decision.Stands{Also: must(t, "net.connect:a.com:443"), Until: now.Add(time.Minute)}},
		"once":                           {ask: get, grants: []grant.Grant{once}},
		"a denial inside":                {ask: get, grants: []grant.Grant{always("net.connect:a.com"), deny("net.connect:a.com/http:DELETE")}, want: &decision.Stands{}},
		"a ban inside":                   {ask: get, grants: []grant.Grant{always("net.connect:a.com")}, policy: decision.Policy{Forbid: all(t, "net.stream:a.com/http:/x")}, want: &decision.Stands{}},
		"a denial elsewhere":             {ask: get, grants: []grant.Grant{always("net.connect:a.com"), deny("net.connect:a.com:8443"), deny("net.connect:b.com")}, want: &decision.Stands{Also: must(t, "net.connect:a.com:443")}},
		"less is declared":               {ask: get, grants: []grant.Grant{always("net.connect:a.com")}, wants: []string{"net.connect:a.com/http:GET"}, want: &decision.Stands{}},
		"a name on its two ports":        {ask: "net.connect:a.com", grants: []grant.Grant{always("net.connect:a.com")}},
		"names":                          {ask: "net.connect:*.a.com:443", grants: []grant.Grant{always("net.connect:*.a.com")}},
		"addresses":                      {ask: "net.connect:10.0.0.0/8:443", grants: []grant.Grant{always("net.connect:10.0.0.0/8")}},
		"a file":                         {ask: "fs.read:/a", grants: []grant.Grant{always("fs.read:/a")}},
		"nothing is granted":             {ask: get},
		"a denial, which somebody lifts": {ask: get, grants: []grant.Grant{always("net.connect:a.com"), deny("net.connect:a.com")}},
	} {
		m := manifest.Manifest{Open: tc.wants == nil}
		for _, w := range tc.wants {
			m.Wants = append(m.Wants, manifest.Want{Capability: must(t, w)})
		}
		r := decision.Request{ID: "d", Subject: decision.Subject{Principal: "u", Pack: "org.example"}, Capability: must(t, tc.ask), CanAsk: true}
		d := decision.Decide(r, decision.Input{Manifest: m, Grants: tc.grants, Policy: tc.policy, Now: now})
		if diff := cmp.Diff(tc.want, d.Stands, capabilities); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		laws(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
	})
}

// FuzzDecide feeds the same laws with the fuzzer's choices.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("some bytes to choose by, as many as it takes for a few grants and a policy"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, choices []byte) {
		laws(t, func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0]) % n
			choices = choices[1:]
			return c
		})
	})
}
