package gate_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/gate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// recorder is a log in memory.
type recorder struct {
	groups [][]audit.Record
	append func(context.Context, []audit.Record) ([]audit.Record, error)
}

func (r *recorder) Append(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	if r.append != nil {
		return r.append(ctx, records)
	}
	r.groups = append(r.groups, records)
	return records, nil
}

func grants(t testing.TB, texts ...string) func(context.Context) ([]grant.Grant, error) {
	var all []grant.Grant
	for _, text := range texts {
		all = append(all, grant.Grant{
			ID: "g-1", Principal: "user:u", Capability: parse(t, text), Outcome: grant.Allow,
			Lifespan: grant.Lifespan{Span: grant.Always},
		})
	}
	return func(context.Context) ([]grant.Grant, error) { return all, nil }
}

func request(t testing.TB, text string) decision.Request {
	return decision.Request{
		Subject:    decision.Subject{Principal: "user:u", Session: "s-1", Program: "/bin/\xff", Digest: "sha256:00"},
		Capability: parse(t, text), Why: "reading",
	}
}

func config(t testing.TB, log gate.Recorder) gate.Config {
	return gate.Config{
		Manifest: manifest.AdHoc([]string{"cat"}),
		Grants:   grants(t, "fs.read:/home/u"),
		Log:      log,
		Now:      func() time.Time { return noon },
		NewID:    func() string { return "d-1" },
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		text string
		ask  bool
		want decision.Outcome
		rule decision.Rule
	}{
		{"fs.read:/home/u/x", false, decision.Allow, decision.Allowed},
		{"fs.write:/home/u/x", false, decision.Deny, decision.NotGranted},
		{"fs.write:/home/u/x", true, decision.Ask, decision.NotGranted},
		{"fs.read:x", false, decision.Deny, decision.Erred},
	} {
		log := &recorder{}
		r := request(t, tc.text)
		r.CanAsk = tc.ask
		got := gate.New(config(t, log)).Check(t.Context(), r)
		if got.Outcome != tc.want || got.Reasons[0].Rule != tc.rule || got.Request != "d-1" {
			t.Errorf("%s: got %+v, want %v by %q", tc.text, got, tc.want, tc.rule)
		}
		if len(log.groups) != 1 || len(log.groups[0]) != 1 {
			t.Fatalf("%s: got records %v, want one", tc.text, log.groups)
		}
		rec := log.groups[0][0]
		body, err := rec.Decode()
		if err != nil {
			t.Fatal(err)
		}
		b := body.(*audit.DecisionBody)
		if rec.ID != "d-1" || rec.Session != "s-1" || rec.Principal != "user:u" || rec.Kind != audit.Decision ||
			b.Outcome != got.Outcome.String() || string(b.Capability) != tc.text || b.Program != "/bin/\xff" ||
			b.Reasons[0].Rule != string(tc.rule) || string(b.Reasons[0].Text) != got.Reasons[0].Text {
			t.Errorf("%s: got record %+v, %+v", tc.text, rec, b)
		}
	}
}

// TestDeny has each part fail.
func TestDeny(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name     string
		spoil    func(*gate.Config)
		recorded bool
		want     string
	}{
		{"zero", func(c *gate.Config) { *c = gate.Config{} }, false, "no log"},
		{"no log", func(c *gate.Config) { c.Log = nil }, false, "no log"},
		{"no grants", func(c *gate.Config) { c.Grants = nil }, true, "no grants"},
		{"no manifest", func(c *gate.Config) { c.Manifest = manifest.Manifest{} }, true, "manifest"},
		{"unreadable grants", func(c *gate.Config) {
			c.Grants = func(context.Context) ([]grant.Grant, error) { return grantsThen(t, c, broken) }
		}, true, "broken"},
		{"log fails", func(c *gate.Config) {
			c.Log = &recorder{append: func(context.Context, []audit.Record) ([]audit.Record, error) { return nil, broken }}
		}, false, "broken"},
		{"log writes less", func(c *gate.Config) {
			c.Log = &recorder{append: func(context.Context, []audit.Record) ([]audit.Record, error) { return nil, nil }}
		}, false, "0 of 1"},
		{"log blocks", func(c *gate.Config) {
			c.Log = &recorder{append: func(ctx context.Context, _ []audit.Record) ([]audit.Record, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		}, false, "deadline"},
		{"grants block", func(c *gate.Config) {
			c.Grants = func(ctx context.Context) ([]grant.Grant, error) { <-ctx.Done(); return nil, ctx.Err() }
		}, true, "deadline"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := &recorder{}
			cfg := config(t, log)
			tc.spoil(&cfg)
			ctx, cancel := context.WithCancel(t.Context())
			if tc.want == "deadline" { // the others are decided however long that takes
				ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
			}
			defer cancel()
			got := gate.New(cfg).Check(ctx, request(t, "fs.read:/home/u/x"))
			if got.Outcome != decision.Deny || got.Request == "" || len(got.Reasons) == 0 || !strings.Contains(got.Reasons[0].Text, tc.want) {
				t.Errorf("got %+v, want Deny because of %q", got, tc.want)
			}
			if (len(log.groups) == 1) != tc.recorded {
				t.Errorf("got records %v, want any: %v", log.groups, tc.recorded)
			}
		})
	}
	var zero gate.Gate
	if got := zero.Check(t.Context(), decision.Request{}); got.Outcome != decision.Deny {
		t.Errorf("zero gate: got %+v", got)
	}
}

// grantsThen returns grants that would allow, beside an error.
func grantsThen(t testing.TB, _ *gate.Config, err error) ([]grant.Grant, error) {
	all, _ := grants(t, "fs.read:/home/u")(t.Context())
	return all, err
}

// TestDurable has the decision returned only after the log has taken it.
func TestDurable(t *testing.T) {
	taken, release := make(chan struct{}), make(chan struct{})
	log := &recorder{append: func(_ context.Context, r []audit.Record) ([]audit.Record, error) {
		close(taken)
		<-release
		return r, nil
	}}
	answer := make(chan decision.Decision, 1)
	go func() {
		answer <- gate.New(config(t, log)).Check(context.Background(), request(t, "fs.read:/home/u/x"))
	}()
	<-taken
	select {
	case d := <-answer:
		t.Errorf("got %+v before it was recorded", d)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if d := <-answer; d.Outcome != decision.Allow {
		t.Errorf("got %+v", d)
	}
}

func TestCheckAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cfg := config(t, log)
	cfg.NewID = nil
	reads := 0
	inner := cfg.Grants
	cfg.Grants = func(ctx context.Context) ([]grant.Grant, error) { reads++; return inner(ctx) }
	g := gate.New(cfg)
	requests := []decision.Request{request(t, "fs.read:/home/u/a"), request(t, "net.connect:example.org"), request(t, "fs.read:/home/u/b")}
	got := g.CheckAll(t.Context(), requests)
	if len(got) != 3 || got[0].Outcome != decision.Allow || got[1].Outcome != decision.Deny || got[2].Outcome != decision.Allow || reads != 1 {
		t.Errorf("got %+v after %d readings", got, reads)
	}
	for _, d := range got {
		if r, err := audit.Find(dir, d.Request); err != nil || !strings.HasPrefix(r.ID, "d-") {
			t.Errorf("record of %q: %+v, %v", d.Request, r, err)
		}
	}
	if requests[0].ID != "" {
		t.Error("the caller's requests were changed")
	}
	if got := g.CheckAll(t.Context(), nil); len(got) != 0 {
		t.Errorf("got %v for nothing", got)
	}
	log.Close()
	if got := g.Check(t.Context(), requests[0]); got.Outcome != decision.Deny {
		t.Errorf("got %+v from a closed log", got)
	}
}

func BenchmarkCheck(b *testing.B) {
	log, err := audit.Open(b.TempDir(), audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	g, r := gate.New(config(b, log)), request(b, "fs.read:/home/u/a")
	for b.Loop() {
		if d := g.Check(b.Context(), r); d.Outcome != decision.Allow {
			b.Fatal(d)
		}
	}
}

// TestThen: what follows from the answers is in the same group, behind them, or
// nowhere; and then it is denied.
func TestThen(t *testing.T) {
	more := audit.Record{ID: "d-2", Session: "s-1"}
	for _, broken := range []error{nil, errors.New("broken")} {
		log := &recorder{}
		var groups [][]audit.Record
		log.append = func(_ context.Context, records []audit.Record) ([]audit.Record, error) {
			groups = append(groups, records)
			return records, broken
		}
		var seen []decision.Decision
		got := gate.New(config(t, log)).CheckAllThen(t.Context(), []decision.Request{request(t, "fs.read:/home/u/x"), request(t, "fs.write:/x")},
			func(answers []decision.Decision) []audit.Record {
				seen = append(seen, answers...)
				return []audit.Record{more}
			})
		if len(seen) != 2 || seen[0].Outcome != decision.Allow || seen[1].Outcome != decision.Deny {
			t.Errorf("then saw %+v", seen)
		}
		if len(groups) != 1 || len(groups[0]) != 3 || groups[0][2].ID != more.ID || groups[0][0].Kind != audit.Decision {
			t.Errorf("got groups %+v, want one with the answers and then d-2", groups)
		}
		if allowed := got[0].Outcome == decision.Allow; allowed != (broken == nil) || got[1].Outcome != decision.Deny {
			t.Errorf("%v: got %+v", broken, got)
		}
	}
}
