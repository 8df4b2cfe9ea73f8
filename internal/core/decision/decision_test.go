package decision_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

var (
	now          = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	capabilities = cmp.Comparer(func(a, b capability.Capability) bool { return a == b })
)

func must(t testing.TB, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func all(t testing.TB, texts ...string) []capability.Capability {
	var out []capability.Capability
	for _, text := range texts {
		out = append(out, must(t, text))
	}
	return out
}

// given makes a grant for the pack and the principal of the tests.
func given(t testing.TB, id string, o grant.Outcome, text string) grant.Grant {
	return grant.Grant{
		ID: id, Principal: "u", Pack: "org.example", Capability: must(t, text), Outcome: o,
		Lifespan: grant.Lifespan{Span: grant.Always},
	}
}

// changed returns g after a change.
func changed(g grant.Grant, change func(*grant.Grant)) grant.Grant {
	change(&g)
	return g
}

func TestDecide(t *testing.T) {
	declared := manifest.Manifest{Wants: []manifest.Want{{Capability: must(t, "fs.write:/work")}, {Capability: must(t, "net.connect:*")}}}
	allow := func(text string) grant.Grant { return given(t, "g-allow", grant.Allow, text) }
	deny := func(text string) grant.Grant { return given(t, "g-deny", grant.Deny, text) }
	for _, tc := range []struct {
		name   string
		ask    string
		grants []grant.Grant
		policy decision.Policy
		want   decision.Outcome
		rule   decision.Rule
	}{
		{"nothing is granted", "fs.read:/work/a", nil, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"granted", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work")}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"granted as more", "fs.append:/work/a", []grant.Grant{allow("fs.write:/work")}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"granted less", "fs.write:/work/a", []grant.Grant{allow("fs.read:/work")}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"granted beneath", "fs.read:/work", []grant.Grant{allow("fs.read:/work/a")}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"granted, not declared", "fs.read:/other", []grant.Grant{allow("fs.read:/other")}, decision.Policy{}, decision.Deny, decision.Undeclared},
		{"pre-approved, not declared", "fs.read:/other", nil, decision.Policy{Preapprove: all(t, "fs.read:/other")}, decision.Deny, decision.Undeclared},
		{"denied and granted", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work/a"), deny("fs.read:/work")}, decision.Policy{}, decision.Deny, decision.Denied},
		{"denied beneath, granted above", "fs.read:/work", []grant.Grant{allow("fs.read:/work"), deny("fs.read:/work/a")}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"reading denied, writing asked for", "fs.write:/work/a/b", []grant.Grant{allow("fs.write:/work"), deny("fs.read:/work/a")}, decision.Policy{}, decision.Deny, decision.Denied},
		{"appending denied, writing asked for", "fs.write:/work/a/b", []grant.Grant{allow("fs.write:/work"), deny("fs.append:/work/a")}, decision.Policy{}, decision.Deny, decision.Denied},
		{"denied by pattern", "fs.read:/work/x/.env", []grant.Grant{allow("fs.read:/work"), deny("fs.read:/**/.env")}, decision.Policy{}, decision.Deny, decision.Denied},
		{"denied and pre-approved", "fs.read:/work/a", []grant.Grant{deny("fs.read:/work/a")}, decision.Policy{Preapprove: all(t, "fs.read:/work")}, decision.Deny, decision.Denied},
		{"pre-approved", "fs.read:/work/a", nil, decision.Policy{Preapprove: all(t, "fs.read:/x", "fs.read:/work")}, decision.Allow, decision.Preapproved},
		{"forbidden and granted", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work/a")}, decision.Policy{Forbid: all(t, "fs.read:/work/a")}, decision.Deny, decision.Forbidden},
		{"forbidden and not declared", "host.execute", nil, decision.Policy{Forbid: all(t, "host.execute")}, decision.Deny, decision.Forbidden},
		{"forbidden and pre-approved", "net.connect:a.com", nil, decision.Policy{Forbid: all(t, "net.connect:a.com"), Preapprove: all(t, "net.connect:*")}, decision.Deny, decision.Forbidden},
		{"a part is forbidden", "fs.write:/work/a", []grant.Grant{allow("fs.write:/work")}, decision.Policy{Forbid: all(t, "fs.read:/work/a")}, decision.Deny, decision.Forbidden},
		{"loopback by a public grant", "net.connect:127.0.0.1:80", []grant.Grant{allow("net.connect:*")}, decision.Policy{}, decision.Deny, decision.Undeclared},

		{"a request within a rule", "net.connect:a.com:443/http:GET:/a/b", []grant.Grant{allow("net.connect:a.com/http:GET:/a/**")}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"a request beside a rule", "net.connect:a.com:443/http:PUT:/a/b", []grant.Grant{allow("net.connect:a.com/http:GET:/a/**")}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"a whole flow by a rule", "net.connect:a.com:443", []grant.Grant{allow("net.connect:a.com/http:GET")}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"a request by a whole flow", "net.connect:a.com:443/http:PUT:/a", []grant.Grant{allow("net.connect:a.com")}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"a request that is denied", "net.connect:a.com:443/http:DELETE:/a", []grant.Grant{allow("net.connect:a.com"), deny("net.connect:a.com/http:DELETE")}, decision.Policy{}, decision.Deny, decision.Denied},
		{"a flow with a request that is denied", "net.connect:a.com:443", []grant.Grant{allow("net.connect:a.com"), deny("net.connect:a.com/http:DELETE")}, decision.Policy{}, decision.Allow, decision.Allowed},

		{"another principal's", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Principal = "v" })}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"another pack's", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Pack = "" })}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"an older version's", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Digest = "sha256:old" })}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"revoked", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Revoked = now })}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"expired", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Lifespan = grant.Lifespan{Span: grant.Until, Until: now} })}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"another session's", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Lifespan = grant.Lifespan{Span: grant.Session, Session: "t"} })}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"this session's", "fs.read:/work/a", []grant.Grant{changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Lifespan = grant.Lifespan{Span: grant.Session, Session: "s"} })}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"an outcome nobody knows", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work"), changed(allow("fs.read:/work"), func(g *grant.Grant) { g.Outcome = 9 })}, decision.Policy{}, decision.Deny, decision.Denied},
		{"a grant nobody filled in", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work"), {Principal: "u", Pack: "org.example"}}, decision.Policy{}, decision.Allow, decision.Allowed},

		{"an unresolved request", "fs.read:~/a", []grant.Grant{allow("fs.read:~")}, decision.Policy{}, decision.Deny, decision.Erred},
		{"an unresolved deny", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work"), deny("fs.read:~/a")}, decision.Policy{}, decision.Deny, decision.Erred},
		{"an unresolved deny of another", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work"), changed(deny("fs.read:~/a"), func(g *grant.Grant) { g.Pack = "" })}, decision.Policy{}, decision.Allow, decision.Allowed},
		{"an unresolved allow", "fs.read:/work/a", []grant.Grant{allow("fs.read:~")}, decision.Policy{}, decision.Ask, decision.NotGranted},
		{"an unresolved ban", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work")}, decision.Policy{Forbid: all(t, "fs.read:x")}, decision.Deny, decision.Erred},
		{"a ban nobody filled in", "fs.read:/work/a", []grant.Grant{allow("fs.read:/work")}, decision.Policy{Forbid: make([]capability.Capability, 1)}, decision.Deny, decision.Erred},
	} {
		r := decision.Request{
			ID: "d-7f3a", Subject: decision.Subject{Principal: "u", Session: "s", Pack: "org.example", Digest: "sha256:new"},
			Capability: must(t, tc.ask), CanAsk: true,
		}
		in := decision.Input{Manifest: declared, Grants: tc.grants, Policy: tc.policy, Now: now}
		d := decision.Decide(r, in)
		if d.Request != r.ID || d.Outcome != tc.want || len(d.Reasons) != 1 || d.Reasons[0].Rule != tc.rule || d.Reasons[0].Text == "" {
			t.Errorf("%s: got %+v; want %s, %s", tc.name, d, tc.want, tc.rule)
		}
		r.CanAsk = false
		want := tc.want
		if want == decision.Ask {
			want = decision.Deny
		}
		if d := decision.Decide(r, in); d.Outcome != want || d.Reasons[0].Rule != tc.rule {
			t.Errorf("%s, nobody to ask: got %+v; want %s, %s", tc.name, d, want, tc.rule)
		}
	}
}

// judge answers as it is made, whatever it is asked.
type judge struct {
	why *decision.Reason
	err error
}

func (j judge) Forbids(decision.Request) (*decision.Reason, error) { return j.why, j.err }
func (j judge) Rules() bool                                        { return true }

// TestJudge: a judge only forbids, with its own reason, whatever was granted; one
// that fails denies; what is forbidden to everybody needs none.
func TestJudge(t *testing.T) {
	why := decision.Reason{Rule: decision.Forbidden, Text: "policy a.cedar:1 (no-keys)"}
	forbid := decision.Policy{Forbid: all(t, "fs.read:/work/a")}
	granted := []grant.Grant{given(t, "g", grant.Allow, "fs.read:/work")}
	for _, tc := range []struct {
		name   string
		judge  judge
		grants []grant.Grant
		policy decision.Policy
		want   decision.Outcome
		text   string
	}{
		{"it is silent", judge{}, granted, decision.Policy{}, decision.Allow, ""},
		{"it is silent, and nothing was granted", judge{}, nil, decision.Policy{}, decision.Ask, ""},
		{"it forbids what was granted", judge{why: &why}, granted, decision.Policy{}, decision.Deny, why.Text},
		{"it forbids what would be asked", judge{why: &why}, nil, decision.Policy{}, decision.Deny, why.Text},
		{"it forbids what nobody is asked about", judge{why: &why}, nil, decision.Policy{Preapprove: all(t, "fs.read:/work")}, decision.Deny, why.Text},
		{"it fails", judge{err: errors.New("it is gone")}, granted, decision.Policy{}, decision.Deny, "it could not be decided: it is gone"},
		{"it fails and forbids", judge{why: &why, err: errors.New("it is gone")}, granted, decision.Policy{}, decision.Deny, "it could not be decided: it is gone"},
		{"it is silent about what everybody is forbidden", judge{}, granted, forbid, decision.Deny, ""},
	} {
		tc.policy.Judge = tc.judge
		d := decision.Decide(decision.Request{ID: "d-1", Subject: decision.Subject{Principal: "u", Session: "s", Pack: "org.example"},
			Capability: must(t, "fs.read:/work/a"), CanAsk: true},
			decision.Input{Manifest: manifest.Manifest{Open: true}, Grants: tc.grants, Policy: tc.policy, Now: now})
		if d.Outcome != tc.want || len(d.Reasons) != 1 || tc.text != "" && d.Reasons[0].Text != tc.text || d.Outcome != decision.Allow && d.Stands != nil {
			t.Errorf("%s: got %+v, want %s %q", tc.name, d, tc.want, tc.text)
		}
	}
}

// TestReasons holds the words that people get.
func TestReasons(t *testing.T) {
	read := must(t, "fs.read:/home/u/it's\x1b/a")
	subject := decision.Subject{Principal: "u", Session: "s", Pack: "org.example"}
	open := manifest.Manifest{Open: true}
	once := changed(given(t, "g-once", grant.Allow, "fs.read:/home/u/**"), func(g *grant.Grant) { g.Lifespan = grant.Lifespan{Session: "s"} })
	always := changed(given(t, "g-b", grant.Allow, "fs.read:/home/u"), func(g *grant.Grant) { g.Reason = "the report\x1b" })
	for name, tc := range map[string]struct {
		request decision.Request
		in      decision.Input
		want    decision.Reason
	}{
		"forbidden": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Policy: decision.Policy{Forbid: all(t, "fs.write:/home/u", "fs.read:/home", "net.connect:*")}},
			decision.Reason{
				Rule: decision.Forbidden, By: must(t, "fs.read:/home"),
				Text: "policy forbids everybody to read /home; only who runs this machine can change that",
			},
		},
		"undeclared": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{},
			decision.Reason{
				Rule: decision.Undeclared,
				Text: `the manifest of org.example does not ask to read /home/u/it's\x1b/a; ` +
					`whoever makes it would add 'fs.read:/home/u/it'\''s\x1b/a' to its capabilities`,
			},
		},
		"denied": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Grants: []grant.Grant{given(t, "g-b", grant.Deny, "fs.read:/home/u"), given(t, "g-a", grant.Deny, "fs.read:/home"), once}},
			decision.Reason{
				Rule: decision.Denied, Grant: "g-a", By: must(t, "fs.read:/home"), Fix: "ambit grants revoke g-a",
				Text: "a standing no: org.example may not read /home",
			},
		},
		"allowed, by what lasts": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Grants: []grant.Grant{once, always}},
			decision.Reason{
				Rule: decision.Allowed, Grant: "g-b", By: must(t, "fs.read:/home/u"), Fix: "ambit grants revoke g-b",
				Text: `org.example may read /home/u (always), because: the report\x1b`,
			},
		},
		"allowed, by what says more": {
			decision.Request{Subject: subject, Capability: must(t, "net.connect:a.com:443")},
			decision.Input{Manifest: open, Grants: []grant.Grant{given(t, "g-a", grant.Allow, "net.connect:*:443"), given(t, "g-b", grant.Allow, "net.connect:a.com:443")}},
			decision.Reason{
				Rule: decision.Allowed, Grant: "g-b", By: must(t, "net.connect:a.com:443"), Fix: "ambit grants revoke g-b",
				Text: "org.example may connect to a.com:443 (always)",
			},
		},
		"allowed once": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Grants: []grant.Grant{once}},
			decision.Reason{
				Rule: decision.Allowed, Grant: "g-once", By: must(t, "fs.read:/home/u"), Fix: "ambit grants revoke g-once",
				Text: "org.example may read /home/u (once s)",
			},
		},
		"allowed by a grant without an id": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Grants: []grant.Grant{given(t, "", grant.Allow, "fs.read:/home/u")}},
			decision.Reason{Rule: decision.Allowed, By: must(t, "fs.read:/home/u"), Text: "org.example may read /home/u (always)"},
		},
		"pre-approved": {
			decision.Request{Subject: subject, Capability: read},
			decision.Input{Manifest: open, Policy: decision.Policy{Preapprove: all(t, "fs.read:/home/u", "fs.read:/home")}},
			decision.Reason{Rule: decision.Preapproved, By: must(t, "fs.read:/home"), Text: "policy permits everybody to read /home"},
		},
		"not granted": {
			decision.Request{ID: "d-7f3a", Subject: subject, Capability: read},
			decision.Input{Manifest: open},
			decision.Reason{
				Rule: decision.NotGranted, Fix: `ambit grants add 'fs.read:/home/u/it'\''s\x1b/a'`,
				Text: `nobody has allowed org.example to read /home/u/it's\x1b/a`,
			},
		},
		"not granted to a program": {
			decision.Request{Subject: decision.Subject{Program: "cu\x07rl"}, Capability: must(t, "net.connect:a.com")},
			decision.Input{Manifest: open},
			decision.Reason{Rule: decision.NotGranted, Fix: "ambit grants add net.connect:a.com", Text: `nobody has allowed cu\x07rl to connect to a.com`},
		},
		"not granted to whom nobody knows": {
			decision.Request{Capability: read},
			decision.Input{Manifest: open},
			decision.Reason{
				Rule: decision.NotGranted, Fix: `ambit grants add 'fs.read:/home/u/it'\''s\x1b/a'`,
				Text: `nobody has allowed the program to read /home/u/it's\x1b/a`,
			},
		},
	} {
		tc.in.Now = now
		d := decision.Decide(tc.request, tc.in)
		if diff := cmp.Diff([]decision.Reason{tc.want}, d.Reasons, capabilities); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestZero(t *testing.T) {
	var d decision.Decision
	if d.Outcome != decision.Deny {
		t.Error("the zero decision is no Deny")
	}
	d = decision.Decide(decision.Request{CanAsk: true}, decision.Input{Manifest: manifest.AdHoc(nil)})
	if d.Outcome != decision.Deny || d.Reasons[0].Rule != decision.Erred {
		t.Errorf("the zero request: %+v", d)
	}
}

func TestFailed(t *testing.T) {
	d := decision.Failed(decision.Request{ID: "d-1"}, errors.New("disk\x1b full"))
	want := decision.Decision{Request: "d-1", Reasons: []decision.Reason{{Rule: decision.Erred, Text: `it could not be decided: disk\x1b full`}}}
	if diff := cmp.Diff(want, d, capabilities); diff != "" {
		t.Error(diff)
	}
	if d := decision.Failed(decision.Request{}, nil); d.Outcome != decision.Deny || d.Reasons[0].Text != "it could not be decided" {
		t.Errorf("%+v", d)
	}
}

// TestOutcome holds that whatever is not understood is Deny.
func TestOutcome(t *testing.T) {
	for text, want := range map[string]decision.Outcome{
		"allow": decision.Allow, "ask": decision.Ask, "deny": decision.Deny, "": decision.Deny, "Allow": decision.Deny, "allowed": decision.Deny,
	} {
		got := decision.Allow
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
		var back decision.Outcome
		if data, err := want.MarshalText(); err != nil || back.UnmarshalText(data) != nil || back != want {
			t.Errorf("%s is written %q", want, data)
		}
	}
	if got := decision.Outcome(9).String(); got != "deny" {
		t.Errorf("an unknown outcome is called %q", got)
	}
}

func TestJSON(t *testing.T) {
	d := decision.Decision{
		Request: "d-1", Outcome: decision.Ask,
		Reasons: []decision.Reason{{Rule: decision.NotGranted, Text: "x"}, {Rule: decision.Denied, Text: "y", Grant: "g", By: must(t, "fs.read:/a\xff"), Fix: "z"}},
	}
	data, err := json.Marshal(d)
	want := `{"request":"d-1","outcome":"ask","reasons":[{"rule":"not granted","text":"x"},` +
		`{"rule":"standing deny","text":"y","grant":"g","by":"fs.read:/a\\xff","fix":"z"}]}`
	if err != nil || string(data) != want {
		t.Errorf("got  %s, %v\nwant %s", data, err, want)
	}
	var back decision.Decision
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, back, capabilities); diff != "" {
		t.Error(diff)
	}
	r := decision.Request{ID: "d-1", Subject: decision.Subject{Principal: "u"}, Capability: must(t, "host.execute"), Why: "w", CanAsk: true}
	if data, err := json.Marshal(r); err != nil || !strings.Contains(string(data), `"capability":"host.execute"`) {
		t.Errorf("%s, %v", data, err)
	}
}

// checker is the least that a Checker is.
type checker struct{}

func (checker) Check(_ context.Context, r decision.Request) decision.Decision {
	return decision.Failed(r, nil)
}

var _ decision.Checker = checker{}
