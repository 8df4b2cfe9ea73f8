// Package gate answers requests: it decides, records, and returns, in that order.
//
// It is the one place where a decision comes from. It does not ask people, does
// not act on its answers and keeps nothing: what it knows it is given.
//
// Invariants:
//
//   - Every error is a Deny: grants that cannot be read, a log that cannot be
//     written, a context that has ended, a part that was not passed in.
//   - Allow is returned only after the record of it is durable.
//   - What is recorded is what is returned, but for a Deny in its place
//     because recording failed.
//
// Layer: it imports internal/core and internal/audit.
package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// Recorder makes records durable: all that it is passed, or it fails. It returns
// soon after its context has ended. *audit.Log is one.
type Recorder interface {
	Append(context.Context, ...audit.Record) ([]audit.Record, error)
}

// Config is what a Gate is made of. The zero value makes one that denies all.
type Config struct {
	Manifest manifest.Manifest // resolved
	Policy   decision.Policy   // resolved
	Grants   func(context.Context) ([]grant.Grant, error)
	Log      Recorder
	Now      func() time.Time // nil: time.Now
	NewID    func() string    // of requests that have none; nil: "d-" and random characters
}

// Gate is a decision.Checker for the sessions of one pack. The zero value denies
// all. It is safe for concurrent use if the parts of its Config are.
type Gate struct {
	cfg Config
}

var _ decision.Checker = (*Gate)(nil)

// New returns a gate.
func New(cfg Config) *Gate { return &Gate{cfg: cfg} }

// Check answers r. The answer is in the log, under the id of the request, which
// is given one if it has none.
//
// Security: this is what every mediator rests on. Before: the capability of r is
// what is really touched, resolved. After: Allow means that manifest, grants and
// policy allow it now and that the record of it survives a crash.
func (g *Gate) Check(ctx context.Context, r decision.Request) decision.Decision {
	return g.CheckAll(ctx, []decision.Request{r})[0]
}

// CheckAll answers requests that belong together, in order, on one reading of
// the grants and with one durable group of records. If that cannot be written,
// all are denied.
func (g *Gate) CheckAll(ctx context.Context, requests []decision.Request) []decision.Decision {
	return g.CheckAllThen(ctx, requests, nil)
}

// CheckAllThen is CheckAll for a caller that records what follows: the records
// that then makes of the answers stand behind them in the same durable group.
// Waiting for the disk once is quicker than twice. If the group cannot be
// written, there are neither, and all requests are denied.
//
// Security: then sees answers that are not durable yet; it makes records, and lets
// nothing out on the strength of them.
func (g *Gate) CheckAllThen(ctx context.Context, requests []decision.Request, then func([]decision.Decision) []audit.Record) []decision.Decision {
	requests = g.named(requests)
	answers := g.decide(ctx, requests)
	var more []audit.Record
	if then != nil {
		more = then(answers)
	}
	if err := g.record(ctx, requests, answers, more); err != nil {
		for i, r := range requests {
			answers[i] = decision.Failed(r, fmt.Errorf("it could not be recorded: %w", err))
		}
	}
	return answers
}

// named returns the requests with an id each.
func (g *Gate) named(requests []decision.Request) []decision.Request {
	named := make([]decision.Request, len(requests))
	for i, r := range requests {
		if r.ID == "" && g.cfg.NewID != nil {
			r.ID = g.cfg.NewID()
		}
		if r.ID == "" {
			r.ID = audit.NewID("d")
		}
		named[i] = r
	}
	return named
}

// decide answers without recording.
func (g *Gate) decide(ctx context.Context, requests []decision.Request) []decision.Decision {
	answers := make([]decision.Decision, len(requests))
	grants, err := g.grants(ctx)
	in := decision.Input{Manifest: g.cfg.Manifest, Grants: grants, Policy: g.cfg.Policy, Now: g.now()}
	for i, r := range requests {
		if err != nil {
			answers[i] = decision.Failed(r, err)
			continue
		}
		answers[i] = decision.Decide(r, in)
	}
	return answers
}

func (g *Gate) grants(ctx context.Context) ([]grant.Grant, error) {
	if g.cfg.Grants == nil {
		return nil, errors.New("this gate was given no grants to read")
	}
	return g.cfg.Grants(ctx)
}

func (g *Gate) now() time.Time {
	if g.cfg.Now == nil {
		return time.Now()
	}
	return g.cfg.Now()
}

// record makes the answers durable with more behind them, or fails.
func (g *Gate) record(ctx context.Context, requests []decision.Request, answers []decision.Decision, more []audit.Record) error {
	if len(requests)+len(more) == 0 {
		return nil
	}
	if g.cfg.Log == nil {
		return errors.New("this gate was given no log to write")
	}
	records := make([]audit.Record, len(requests), len(requests)+len(more))
	for i, r := range requests {
		rec, err := audit.New(body(r, answers[i]))
		if err != nil {
			return err
		}
		rec.ID, rec.Session, rec.Principal, rec.Pack = r.ID, r.Subject.Session, r.Subject.Principal, r.Subject.Pack
		records[i] = rec
	}
	records = append(records, more...)
	done, err := g.cfg.Log.Append(ctx, records...)
	if err == nil && len(done) != len(records) {
		err = fmt.Errorf("%d of %d records were written", len(done), len(records))
	}
	return err
}

// body is what the log keeps of a request and its answer.
func body(r decision.Request, d decision.Decision) audit.DecisionBody {
	b := audit.DecisionBody{
		Program:    audit.Text(r.Subject.Program),
		Digest:     r.Subject.Digest,
		Capability: audit.Text(r.Capability.Display()),
		Why:        audit.Text(r.Why),
		Outcome:    d.Outcome.String(),
	}
	for _, why := range d.Reasons {
		b.Reasons = append(b.Reasons, audit.ReasonBody{
			Rule: string(why.Rule), Text: audit.Text(why.Text), Grant: why.Grant,
			By: audit.Text(why.By.Display()), Fix: audit.Text(why.Fix), Policy: audit.Text(why.Policy), Set: why.Set,
		})
	}
	return b
}
