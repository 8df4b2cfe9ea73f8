// Package session runs a plan from its launch to its end and leaves the trail:
// what was promised and holds, what was denied on the way, how it ended.
//
// Invariants: the program does not begin before its decisions and the record
// of its launch are durable; when a record cannot be written the launch does
// not happen, and what runs already is ended; the end is recorded after
// everything inside has ended.
//
// The sandbox is built while the records become durable: both take time, and
// an empty sandbox acts on nothing.
//
// It decides nothing itself. Layer: over core, audit and enforce; command line
// and server use it.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// Recorder writes records.
type Recorder interface {
	// Append returns when the records are durable.
	Append(context.Context, ...audit.Record) ([]audit.Record, error)
	// AppendSoon returns when they are there for whoever reads the log, and survive this process.
	AppendSoon(context.Context, ...audit.Record) ([]audit.Record, error)
}

// A timed Recorder knows how long it took to write records.
type timed interface{ Took() audit.Took }

// Spec is what is run, for whom.
type Spec struct {
	ID        string
	Principal string
	Pack      string // id, "" for an ad hoc run
	Digest    string
	Effective []string // the effective set, as text
	// Watched are capabilities whose use can be seen: each with the paths of the
	// view's entries that are its own.
	Watched []Watched
	// Decide puts the requests on which Plan rests to the gate and makes the
	// answers durable, and the record of the launch behind them. An error, or an
	// answer that the Plan does not rest on, ends the launch; then there is no
	// record of it.
	Decide func(ctx context.Context, launch audit.Record) error
	Plan   enforce.Plan
	Stdio  enforce.Stdio

	// Of a session that belongs to a trace, what came with that, and since when it is
	// being prepared; zero: it belongs to none, and nobody wants to know what took how long.
	TraceState string
	Began      time.Time
}

// Watched is a capability whose use can be seen by what is opened.
type Watched struct {
	Capability string
	Paths      []string
}

// Runner runs sessions.
type Runner struct {
	Tier enforce.Tier
	Log  Recorder
	Now  func() time.Time
	// Denied is told of each denial, with the id of its durable record. It is
	// called by one goroutine.
	Denied func(id string, d enforce.Denial)
	// Tally counts each denial, beside what others count in it; nil: nobody counts.
	Tally *Tally
	// Stood says in a word what became of the sandbox that stood by, which was used
	// whole or not; nil: none did.
	Stood func(whole bool) string
	// Ready is called before the program is let go.
	Ready func()
	// Started is called when the program was let go. The session's Signal and
	// Kill may be used until Run returns.
	Started func(enforce.Session, enforce.Report)
	// Settle is called when everything inside has ended, before that is recorded:
	// what goes on for it outside ends too, and is counted.
	Settle func()
	// Ended is called when everything inside has ended, while that is recorded.
	Ended func(Result)
}

// Result says how a session went.
type Result struct {
	enforce.Result
	Report   enforce.Report
	Denials  int
	Counts   []Count // of the Tally, by kind of capability
	Traffic  Traffic // of the Tally
	Uses     []Use   // of what was watched
	Duration time.Duration

	steps steps
	stood string
}

// steps say how long the parts of a launch took; zero: nobody wants to know.
type steps struct{ prepare, row, ready time.Duration }

// Use says whether a capability was used.
type Use struct {
	Capability string
	Used       bool
}

// uses says of each capability that is watched whether it was used, if the tier
// can tell.
func (s Spec) uses(inside enforce.Session) (all []Use) {
	w, ok := inside.(enforce.Witness)
	if !ok || len(s.Watched) == 0 {
		return nil
	}
	opened := w.Opened()
	if opened == nil {
		return nil
	}
	for _, c := range s.Watched {
		all = append(all, Use{c.Capability, slices.ContainsFunc(c.Paths, func(p string) bool { return opened[p] })})
	}
	return all
}

// Run builds the sandbox, records, lets the program begin, and waits.
//
// Security: every way out before Release ends the sandbox with its program
// never having run.
func (r Runner) Run(ctx context.Context, s Spec) (Result, error) {
	begin := r.Now()
	since := func() time.Duration { // of one with a trace
		if s.Began.IsZero() {
			return 0
		}
		return r.Now().Sub(begin)
	}
	recorded := make(chan error, 1)
	go func() { recorded <- s.launch(ctx) }()
	inside, err := r.Tier.Start(ctx, s.Plan, s.Stdio)
	row := since()
	if failed := <-recorded; failed != nil {
		if inside != nil {
			discard(inside)
		}
		return Result{}, fmt.Errorf("not launched: %w", failed)
	}
	if err != nil {
		return Result{}, errors.Join(err, r.refused(ctx, s, err))
	}
	res := Result{Report: inside.Report()}
	if r.Stood != nil {
		s, ok := inside.(interface{ Stood() bool })
		res.stood = r.Stood(ok && s.Stood())
	}
	if r.Ready != nil {
		r.Ready()
	}
	if err := inside.Release(); err != nil {
		discard(inside)
		return res, errors.Join(err, r.refused(ctx, s, err))
	}
	if res.steps = (steps{row: row, ready: since()}); row != 0 {
		res.steps.prepare = begin.Sub(s.Began)
	}
	if r.Started != nil {
		r.Started(inside, res.Report)
	}
	return r.follow(ctx, s, inside, res, begin)
}

// follow records what a program is refused, waits for its end, and records that.
func (r Runner) follow(ctx context.Context, s Spec, inside enforce.Session, res Result, begin time.Time) (Result, error) {
	var wg sync.WaitGroup
	var reported, untold error
	late, written := []audit.Body{report(res.Report)}, make(chan struct{})
	timer := time.AfterFunc(reportAfter, func() {
		defer close(written)
		if reported = s.write(ctx, r.Log.Append, late...); reported != nil {
			reported = fmt.Errorf("ended: the report could not be recorded: %w", reported)
			_ = inside.Kill() // it may have ended by itself
		}
		late = nil
	})
	wg.Go(func() { res.Denials, untold = r.denials(ctx, s, inside) })
	ended, err := inside.Wait()
	if !timer.Stop() {
		<-written
	}
	wg.Wait()
	if r.Settle != nil {
		r.Settle()
	}
	res.Uses = s.uses(inside)
	res.Result, res.Duration, res.Counts, res.Traffic = ended, r.Now().Sub(begin), r.Tally.Counts(), r.Tally.Traffic()
	if r.Ended != nil {
		wg.Go(func() { r.Ended(res) })
		defer wg.Wait()
	}
	last := end(res)
	if l, ok := r.Log.(timed); ok {
		took := l.Took()
		last.Appends, last.Appended = took.Counts, took.Sum
	}
	// Nobody acts on the end, and whoever waits for the program waits for no disk.
	return res, errors.Join(err, reported, untold, s.write(ctx, r.Log.AppendSoon, append(late, last)...))
}

// reportAfter is how long a session lasts before its report is made durable.
// That of a shorter one is, with its end: it is evidence of what held, and
// nothing rests on it that the decisions and the record of the launch do not
// say, which were durable before.
const reportAfter = 20 * time.Millisecond

// discard ends a sandbox whose program was not released.
func discard(inside enforce.Session) {
	_ = inside.Kill() // it may have ended by itself
	_, _ = inside.Wait()
}

// record makes a record of s.
func (s Spec) record(b audit.Body) (audit.Record, error) {
	rec, err := audit.New(b)
	rec.Session, rec.Principal, rec.Pack = s.ID, s.Principal, s.Pack
	return rec, err
}

// write records bodies by Append or AppendSoon.
func (s Spec) write(ctx context.Context, by func(context.Context, ...audit.Record) ([]audit.Record, error), bodies ...audit.Body) error {
	var recs []audit.Record
	for _, b := range bodies {
		rec, err := s.record(b)
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	_, err := by(ctx, recs...)
	return err
}

// launch has the decisions made durable, and behind them what is about to run.
func (s Spec) launch(ctx context.Context) error {
	p := s.Plan.Program
	rec, err := s.record(audit.LaunchBody{
		Argv: audit.Texts(p.Argv), Program: audit.Text(p.Path), Dir: audit.Text(p.Dir), Digest: s.Digest,
		Tier: s.Plan.Tier, Capabilities: audit.Texts(s.Effective), TraceState: s.TraceState,
	})
	if err != nil {
		return err
	}
	return s.Decide(ctx, rec)
}

// report is what the tier achieved, read back.
func report(rep enforce.Report) audit.ReportBody {
	b := audit.ReportBody{Tier: rep.Tier}
	for _, l := range rep.Layers {
		b.Layers = append(b.Layers, audit.LayerBody{Name: l.Name, Promised: l.Promised, Holds: l.Holds, Weaker: l.Weaker, Detail: audit.Text(l.Detail)})
	}
	return b
}

func (r Runner) refused(ctx context.Context, s Spec, cause error) error {
	return s.write(ctx, r.Log.Append, audit.EndBody{Status: "refused", Exit: 125, Error: audit.Text(cause.Error())})
}

func end(res Result) audit.EndBody {
	b := audit.EndBody{Status: "exited", Exit: res.Exit, Duration: res.Duration, Prepare: res.steps.prepare, Row: res.steps.row, Ready: res.steps.ready, Stood: res.stood, Denials: res.Denials, Missed: res.Missed,
		Counts: bodies(res.Counts), Flows: res.Traffic.Flows, Refused: res.Traffic.Refused, In: int64(res.Traffic.In), Out: int64(res.Traffic.Out)}
	if res.Signal != 0 {
		b.Status, b.Signal = "killed", unix.SignalName(unix.Signal(res.Signal))
	}
	if res.Limit != "" {
		b.Status = "limit " + res.Limit
	}
	for _, u := range res.Uses {
		b.Uses = append(b.Uses, audit.UseBody{Capability: audit.Text(u.Capability), Used: u.Used})
	}
	if res.CannotExec != nil {
		b.Status, b.Error = "refused", audit.Text(res.CannotExec.Error())
	}
	return b
}

// Bounds of one session's denial records: a program that tries the same thing
// in a loop must not fill the disk.
const maxDenials = 1000

// denials records each denial once per object, and answers how many there were.
// One that cannot be recorded ends the sandbox: nothing may happen that leaves
// no trace.
func (r Runner) denials(ctx context.Context, s Spec, inside enforce.Session) (total int, failed error) {
	type object struct{ kind, target string }
	seen := map[object]bool{}
	for d := range inside.Denials() {
		total++
		r.Tally.Denied(capability.Kind(d.Kind))
		key := object{string(d.Kind), d.Target}
		if seen[key] || len(seen) >= maxDenials {
			continue
		}
		seen[key] = true
		id, err := r.denial(ctx, s, d)
		if err != nil {
			if failed == nil {
				failed = fmt.Errorf("ended: a denial could not be recorded: %w", err)
				_ = inside.Kill() // it may have ended by itself
			}
			continue
		}
		if r.Denied != nil {
			r.Denied(id, d)
		}
	}
	return total, failed
}

func (r Runner) denial(ctx context.Context, s Spec, d enforce.Denial) (string, error) {
	capability := string(d.Kind)
	if d.Target != "" {
		capability += ":" + d.Target
	}
	rec, err := s.record(audit.DenialBody{Layer: s.Plan.Tier, Program: audit.Text(d.Program), PID: d.PID, Action: d.Call,
		Capability: audit.Text(capability), Object: audit.Text(d.Target), Count: 1, Text: "not granted"})
	if err != nil {
		return "", err
	}
	rec.ID = audit.NewID("d")
	_, err = r.Log.Append(ctx, rec)
	return rec.ID, err
}

// JSON is the result for programs.
func (res Result) JSON() ([]byte, error) {
	return json.Marshal(struct {
		Exit     int            `json:"exit"`
		Signal   int            `json:"signal,omitempty"`
		Limit    string         `json:"limit,omitempty"`
		Denials  int            `json:"denials"`
		Counts   []Count        `json:"counts"`
		Traffic  Traffic        `json:"traffic,omitzero"`
		Duration string         `json:"duration"`
		Report   enforce.Report `json:"report"`
	}{res.Exit, res.Signal, res.Limit, res.Denials, append([]Count{}, res.Counts...), res.Traffic, res.Duration.String(), res.Report})
}
