// Package approval puts questions to people and brings their answers back.
//
// A Desk takes the questions of running programs, puts each to every Front at
// once (a terminal, a webhook) and into a Queue that other processes answer, and
// returns the first answer. It does not decide: an answer becomes a grant, by
// Config.Keep, and the request is put to the gate again.
//
// Invariants:
//
//   - What goes wrong denies: the zero Answer, an error, a front that answers
//     with something that was not offered.
//   - Equal questions are one question, however many ask, and have one answer.
//     A denial is remembered for the session; a program that tries again in a
//     loop asks nobody.
//   - An answer is kept before anybody who waits for it is told.
//   - The number of new questions in a minute and of open ones is bounded for
//     each session. Beyond, the answer is a denial that says so.
//   - Nobody is asked on behalf of nobody: when all who wait have gone, the
//     question is withdrawn everywhere.
//
// What a question carries comes from the program: whoever shows it uses the
// methods of Question, which escape it.
//
// Layer: a mediator over core. Fronts lie in packages of their own beneath.
package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// Question is what a person is asked: may this program do that? It is a plain
// value; Asked and Expires are set by the Desk.
type Question struct {
	ID                 string // of the request, "d-…"
	Session, Principal string
	Pack, Digest       string // "" for an ad hoc run
	Program            string // name of the process that waits
	PID                int    // of that process
	Argv               []string
	Capability         capability.Capability // exactly what was touched
	Reason             string                // the manifest's; "" for an ad hoc run
	Sensitive          string                // which secrets it would reach, in words; "" if none is known
	Offers             []Offer               // what may be granted, narrowest first; each gives Capability
	Asked, Expires     time.Time
}

// An Offer is something that may be granted in answer to a question.
type Offer struct {
	Capability capability.Capability `json:"capability"`
	Scope      Scope                 `json:"scope"`
	Words      string                `json:"words"`           // "this file", "/home/u/proj and what is beneath it"; safe to print
	Broad      bool                  `json:"broad,omitempty"` // it is wide, or reaches secrets: ask more strongly
}

// Scope names an offer on the command line and to fronts.
type Scope string

// The scopes.
const (
	ScopeFile     Scope = "file"     // exactly what was touched
	ScopeRun      Scope = "run"      // the program that was looked at, to read it and to run it
	ScopeDir      Scope = "dir"      // the directory that it lies in
	ScopeDeclared Scope = "declared" // what the manifest declares
)

// Answer is what a person said. The zero value denies, once.
type Answer struct {
	Question   string // id of the question that was put: of another request, if this one was joined to it
	Outcome    grant.Outcome
	Capability capability.Capability // of the offer that was chosen; zero in a denial: exactly what was asked
	Span       grant.Span
	Until      time.Time // with the span Until
	By         string    // who answered: "terminal", "ambit approve"; "" if nobody did
	Text       string    // why it is a denial where nobody answered: "nobody answered within 5m0s"
	Busy       bool      // with Text: too much is asked at the moment; the same question may be put later
}

// A Front asks a person. Ask is called from one goroutine for each open
// question, and returns soon after ctx has ended: another front has answered,
// the time is over, or nobody waits any more. A front that fails is out of this
// question.
type Front interface {
	Name() string // "terminal"; it stands in answers
	Ask(ctx context.Context, q Question) (Answer, error)
}

// A Queue shows questions to other processes, which may answer them. It is safe
// for concurrent use.
type Queue interface {
	Put(ctx context.Context, q Question) error
	// Answer returns what another process answered, and whether one did.
	Answer(ctx context.Context, id string) (Answer, bool, error)
	// Close ends the question with a, unless another process has answered it
	// before: that answer is returned then, answered is true, and it stands.
	Close(ctx context.Context, id string, a Answer, at time.Time) (earlier Answer, answered bool, err error)
}

// A Stamper is a Queue that tells at little cost whether anything in it may have been
// changed: then its stamp is another one. "" says nothing.
type Stamper interface{ Stamp() string }

// Rate bounds the questions of one session. A zero field is its default.
type Rate struct {
	PerMinute int // new questions within any minute
	Open      int // questions that wait at the same time
}

// The default bounds: more than that nobody reads.
const (
	DefaultPerMinute = 30
	DefaultOpen      = 16
)

// Config is what a Desk is made of. With the zero value it denies all.
type Config struct {
	Fronts  []Front
	Queue   Queue         // nil: other processes see nothing
	Timeout time.Duration // how long a question waits; 0: nobody is asked
	Rate    Rate
	// Keep makes an answer last: it stores the grant. It is called once for each
	// answer of a person, before anybody who waits is told. If it fails, the
	// answer is a denial.
	Keep func(context.Context, Question, Answer) error
	// Settled says whether a question need not be put, since a grant that was
	// made in the meantime says it; nil: it never does. The answer is an Answer
	// without By, which is not kept.
	Settled func(context.Context, Question) (Answer, bool)
	// Failed is told of a front that failed; nil: nobody is.
	Failed func(front string, err error)
	Now    func() time.Time // nil: time.Now
}

// check refuses a question that could not be answered.
func (q Question) check() error {
	switch {
	case q.ID == "":
		return errors.New("internal error: a question without an id")
	case !q.Capability.Resolved():
		return fmt.Errorf("internal error: the question %s is about %q", q.ID, q.Capability.Display())
	case len(q.Offers) == 0:
		return fmt.Errorf("internal error: the question %s offers nothing", q.ID)
	}
	for _, o := range q.Offers {
		if !gives(o.Capability, q.Capability) {
			return fmt.Errorf("internal error: the question %s offers %s, which does not cover %s", q.ID, o.Capability.Display(), q.Capability.Display())
		}
	}
	return nil
}

// gives reports whether a right, once it is granted, gives what was asked for: it
// covers that, or is to run the very program that is to be read.
func gives(c, asked capability.Capability) bool {
	if c.Kind() != capability.ProcessSpawn || asked.Kind() != capability.FSRead {
		return c.Covers(asked)
	}
	run, ok := c.Pattern()
	program, literal := run.Literal()
	read, _ := asked.Pattern()
	path, _ := read.Literal()
	return ok && literal && program == path
}

// Fit returns a as it answers q at a time: with the capability filled in. It
// refuses an answer that q does not have.
//
// Security: what is granted is one of the offers that the person saw. A front
// that is confused, or somebody who writes into the queue, cannot grant more.
func (q Question) Fit(a Answer, now time.Time) (Answer, error) {
	a.Question = q.ID
	offered := slices.ContainsFunc(q.Offers, func(o Offer) bool { return o.Capability == a.Capability })
	switch {
	case a.Outcome > grant.Allow:
		return Answer{}, fmt.Errorf("unknown outcome %d", a.Outcome)
	case a.Capability.IsZero() && a.Outcome != grant.Allow:
		a.Capability = q.Capability
	case !offered && (a.Outcome == grant.Allow || a.Capability != q.Capability):
		return Answer{}, fmt.Errorf("%q was not offered", a.Capability.Display())
	}
	switch {
	case a.Span > grant.Always:
		return Answer{}, fmt.Errorf("unknown span %d", a.Span)
	case a.Span == grant.Until && !a.Until.After(now):
		return Answer{}, errors.New("expected a time to come")
	case a.Span != grant.Until && !a.Until.IsZero():
		return Answer{}, fmt.Errorf("expected no time with the span %q", a.Span)
	}
	return a, nil
}
