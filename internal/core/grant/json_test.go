package grant_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

var capabilities = cmp.Comparer(func(a, b capability.Capability) bool { return a == b })

func must(t testing.TB, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const written = `{"id":"g-1","principal":"u","pack":"org.example","digest":"sha256:00","capability":"fs.read:/a/\\xff*",` +
	`"outcome":"allow","lifespan":{"span":"until","until":"2026-03-01T13:00:00Z"},"origin":"command line","reason":"why",` +
	`"created":"2026-03-01T12:00:00Z","revoked":"2026-03-01T12:30:00.000000001Z"}`

func TestJSON(t *testing.T) {
	east := time.FixedZone("east", 3600)
	g := grant.Grant{
		ID: "g-1", Principal: "u", Pack: "org.example", Digest: "sha256:00", Capability: must(t, "fs.read:/a/\xff*"), Outcome: grant.Allow,
		Lifespan: grant.Lifespan{Span: grant.Until, Until: now.Add(time.Hour)},
		Origin:   "command line", Reason: "why", Created: now.In(east), Revoked: now.Add(30*time.Minute + 1),
	}
	data, err := json.Marshal(g)
	if err != nil || string(data) != written {
		t.Errorf("got  %s, %v\nwant %s", data, err, written)
	}
	var back grant.Grant
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, back, capabilities); diff != "" {
		t.Error(diff)
	}
	least := `{"id":"g","principal":"","pack":"","capability":"host.execute","outcome":"deny","lifespan":{"span":"once"}}`
	if err := json.Unmarshal([]byte(least), &back); err != nil {
		t.Fatal(err)
	}
	want := grant.Grant{ID: "g", Capability: must(t, "host.execute")}
	if diff := cmp.Diff(want, back, capabilities); diff != "" {
		t.Error(diff)
	}
}

// TestRefuseJSON changes one thing at a time of a grant that reads.
func TestRefuseJSON(t *testing.T) {
	for _, tc := range []struct{ old, new, want string }{
		{`{"id"`, `["id"`, "JSON"},
		{`"}`, `"}x`, "JSON"},
		{`"why"`, "\"\xff\"", "UTF-8"},
		{written, `[]`, "a JSON object"},
		{written, `"x"`, "a JSON object"},
		{`"id":"g-1"`, `"id":""`, "needs an id"},
		{`"id":"g-1",`, ``, `expected "id"`},
		{`"id":"g-1"`, `"id":1`, "expected a text, found 1"},
		{`"id":"g-1"`, `"id":null`, "expected a text"},
		{`"id":"g-1"`, `"ID":"g-1"`, `unknown key "ID"`},
		{`"id":"g-1"`, `"id":"g-1","id":"g-2"`, "there twice"},
		{`"principal":"u",`, ``, `expected "principal"`},
		{`"pack":"org.example",`, ``, `expected "pack"`},
		{`"fs.read:/a/\\xff*"`, `"fs.read:/"`, "whole file system"},
		{`"fs.read:/a/\\xff*"`, `""`, "needs a capability"},
		{`"fs.read:/a/\\xff*"`, `{}`, "expected a text"},
		{`"capability":"fs.read:/a/\\xff*",`, ``, `expected "capability"`},
		{`"outcome":"allow"`, `"outcome":"Allow"`, `expected one of ["deny" "allow"]`},
		{`"outcome":"allow"`, `"outcome":"ask"`, `expected one of ["deny" "allow"]`},
		{`"outcome":"allow"`, `"outcome":1`, "expected a text"},
		{`"outcome":"allow",`, ``, `expected "outcome"`},
		{`"span":"until"`, `"span":"forever"`, `expected one of ["once" "session" "until" "always"]`},
		{`"span":"until"`, `"span":"always"`, "neither time nor session"},
		{`"span":"until"`, `"span":"session"`, "needs the session"},
		{`"span":"until",`, ``, `lifespan: expected "span"`},
		{`"span":"until"`, `"span":"until","session":"s"`, "needs the time"},
		{`"span":"until"`, `"span":"until","more":1`, `unknown key "more"`},
		{`"lifespan":{`, `"lifespan":"once","x":{`, "expected a JSON object"},
		{`"2026-03-01T13:00:00Z"`, `"tomorrow"`, "expected a time"},
		{`"2026-03-01T13:00:00Z"`, `1`, "expected a text"},
		{`"2026-03-01T13:00:00Z"`, `"0001-01-01T00:00:00Z"`, "needs the time"},
		{`"2026-03-01T12:00:00Z"`, `"2026-13-01T12:00:00Z"`, "created: expected a time"},
		{`"2026-03-01T12:00:00Z"`, `"9999-12-31T23:59:59-23:00"`, "created: expected a time"},
		{`"2026-03-01T12:00:00Z"`, `"0000-01-01T00:00:00+23:00"`, "created: expected a time"},
		{`"reason":"why"`, `"reasons":"why"`, `unknown key "reasons"`},
	} {
		text := strings.Replace(written, tc.old, tc.new, 1)
		g := grant.Grant{ID: "untouched"}
		err := g.UnmarshalJSON([]byte(text))
		if err == nil || !strings.Contains(err.Error(), tc.want) || g.ID != "untouched" {
			t.Errorf("%s: got %+v, %v; want an error with %q", text, g, err, tc.want)
		}
	}
}

func TestRefuseToWrite(t *testing.T) {
	good := grant.Grant{ID: "g", Capability: must(t, "host.execute")}
	for name, change := range map[string]func(*grant.Grant){
		"no id":         func(g *grant.Grant) { g.ID = "" },
		"no capability": func(g *grant.Grant) { g.Capability = capability.Capability{} },
		"outcome":       func(g *grant.Grant) { g.Outcome = 2 },
		"span":          func(g *grant.Grant) { g.Lifespan.Span = 4 },
	} {
		g := good
		change(&g)
		if data, err := json.Marshal(g); err == nil {
			t.Errorf("%s: wrote %s", name, data)
		}
	}
}

// TestDenyOutlasts holds that a Deny applies wherever an Allow with the same
// lifespan does.
func TestDenyOutlasts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(label string) time.Time {
			return rapid.SampledFrom([]time.Time{{}, now.Add(-1), now, now.Add(1)}).Draw(t, label)
		}
		session := rapid.SampledFrom([]string{"", "s", "t"})
		g := grant.Grant{
			Lifespan: grant.Lifespan{Span: grant.Span(rapid.IntRange(0, 5).Draw(t, "span")), Until: at("until"), Session: session.Draw(t, "session")},
			Revoked:  at("revoked"),
		}
		allow := g
		allow.Outcome = grant.Allow
		in := session.Draw(t, "in")
		if allow.Applies(now, in) && !g.Applies(now, in) {
			t.Fatalf("%+v: the Allow applies, the Deny does not", g)
		}
		if !g.Revoked.IsZero() && g.Applies(now, in) {
			t.Fatalf("%+v is revoked and applies", g)
		}
		later := now.Add(time.Hour)
		if allow.Applies(later, in) && !allow.Applies(now, in) {
			t.Fatalf("%+v comes back to life", allow)
		}
	})
}

// FuzzGrantJSON holds for any text: it is refused, or read as a grant that is
// written and read again as the same.
func FuzzGrantJSON(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte(`{"id":"g","principal":"","pack":"","capability":"host.execute","outcome":"deny","lifespan":{"span":"once","session":"s"}}`))
	f.Add([]byte(`{"id":"g","outcome":"allow","outcome":"deny"}`))
	f.Add([]byte(` [1]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var g, back grant.Grant
		if err := g.UnmarshalJSON(data); err != nil {
			if g != (grant.Grant{}) {
				t.Fatalf("refused, but %+v was read", g)
			}
			return
		}
		again, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &back); err != nil || back != g {
			t.Fatalf("%s became %s, %v", data, again, err)
		}
		if third, err := json.Marshal(back); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%s, then %s, %v", again, third, err)
		}
	})
}
