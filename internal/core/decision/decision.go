// Package decision answers one question: may this subject do this now?
//
// Decide is a pure function of the request, the manifest, the grants and the
// policy. It looks nothing up, records nothing and asks nobody; package gate
// does that around it.
//
// Invariants:
//
//   - The zero Decision is Deny, every error answers Deny, and what is not
//     understood (an outcome, a path that was not resolved) answers Deny.
//   - The order is fixed: forbidden by policy, not declared by the manifest,
//     standing deny, standing allow, pre-approved by policy, and then Ask, or
//     Deny where nobody can be asked. The first that speaks decides.
//   - The order in which grants and policy are listed makes no difference.
//   - Ask is no weak Allow: its answer becomes a grant, and the request is put
//     again.
//
// A denial, by policy or by grant, stops a request that it covers, or of which
// it covers a part: denying fs.read:/a stops fs.write:/a/b, because writing
// includes reading. A request that is wider than the denial (fs.write:/work, where
// fs.read:/work/.env is denied) is not stopped: what is allowed then has a hole,
// and whoever compiles the plan masks it. What happens in the hole arrives here as a request of its
// own and is stopped.
//
// Rules that are more than capabilities are asked through Policy.Judge, at the step
// of what policy forbids. A Judge can only deny.
//
// Layer: core. It does no I/O and reads no clock.
package decision

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// Checker answers requests. An implementation decides, records, and returns;
// whatever goes wrong on the way is a Deny. It is safe for concurrent use.
type Checker interface {
	Check(ctx context.Context, r Request) Decision
}

// Subject is who asks.
type Subject struct {
	Principal string `json:"principal,omitempty"` // whose grants count
	Session   string `json:"session,omitempty"`
	Pack      string `json:"pack,omitempty"` // "" for ad hoc runs
	Digest    string `json:"digest,omitempty"`
	Program   string `json:"program,omitempty"` // for people; it decides nothing
}

// Request is a question. Its capability is resolved.
type Request struct {
	ID         string                `json:"id,omitempty"`
	Subject    Subject               `json:"subject,omitzero"`
	Capability capability.Capability `json:"capability"`
	Why        string                `json:"why,omitempty"` // what the program was doing, for people
	CanAsk     bool                  `json:"can_ask,omitempty"`
	// AnyPath says that it is one request over a connection, whose path servers read in
	// different ways: it may be any, and the capability names none.
	AnyPath bool `json:"any_path,omitempty"`
	// Name is that of a host, and its port, which was allowed and leads to the address
	// that the capability is about; zero: the address was named itself.
	Name capability.Capability `json:"name,omitzero"`
}

// Rule names the step that decided.
type Rule string

// The rules, in the order in which they are tried after Erred.
const (
	Erred       Rule = "error"
	Forbidden   Rule = "forbidden by policy"
	Undeclared  Rule = "not declared by the manifest"
	Denied      Rule = "standing deny"
	Allowed     Rule = "standing allow"
	Preapproved Rule = "pre-approved by policy"
	NotGranted  Rule = "not granted"
)

// Reason says why.
type Reason struct {
	Rule  Rule                  `json:"rule"`
	Text  string                `json:"text"`            // words a person can act on; safe to print
	Grant string                `json:"grant,omitempty"` // the grant that decided
	By    capability.Capability `json:"by,omitzero"`     // what covered the request
	Fix   string                `json:"fix,omitempty"`   // one command that would change it

	Policy string `json:"policy,omitempty"` // the managed policy that decided: FILE:LINE (ID)
	Set    string `json:"set,omitempty"`    // digest of the policies among which it stood
}

// Decision is an answer. The zero value is Deny, without a reason.
type Decision struct {
	Request string   `json:"request,omitempty"` // the request's ID
	Outcome Outcome  `json:"outcome"`
	Reasons []Reason `json:"reasons,omitempty"`
	Stands  *Stands  `json:"stands,omitempty"` // nil: it answers this one request and no other
}

// Policy is what an operator laid down for everybody, resolved.
type Policy struct {
	Forbid     []capability.Capability // whatever was granted
	Preapprove []capability.Capability // nobody is asked
	Judge      Judge                   // nil: nothing else is forbidden
}

// A Judge knows what else is forbidden, by rules that are more than capabilities.
// It answers with the reason, nil where it forbids nothing; to the same request the
// same, as long as its rules do not change. It is safe for concurrent use.
type Judge interface {
	Forbids(r Request) (*Reason, error)
	// Rules reports whether there are any.
	Rules() bool
}

// Input is all that a decision depends on besides the request. The manifest is
// resolved. Grants of other principals and packs may be among the grants.
type Input struct {
	Manifest manifest.Manifest
	Grants   []grant.Grant
	Policy   Policy
	Now      time.Time
}

// Failed is the answer when something went wrong before or after deciding.
func Failed(r Request, err error) Decision {
	text := "it could not be decided"
	if err != nil {
		text += ": " + err.Error()
	}
	return answer(r, Deny, Reason{Rule: Erred, Text: capability.Printable(text)})
}

// Decide answers r.
//
// Security: it compares the capability of r as text. The caller has resolved
// paths and canonicalised names to what is really touched.
func Decide(r Request, in Input) Decision {
	if err := check(r, in); err != nil {
		return Failed(r, err)
	}
	for _, f := range in.Policy.Forbid {
		if stops(f, r.Capability) {
			return answer(r, Deny, forbidden(r, in.Policy.Forbid))
		}
	}
	if in.Policy.Judge != nil {
		why, err := in.Policy.Judge.Forbids(r)
		if err != nil {
			return Failed(r, err)
		}
		if why != nil {
			return answer(r, Deny, *why)
		}
	}
	if _, ok := in.Manifest.Declares(r.Capability); !ok {
		return answer(r, Deny, undeclared(r))
	}
	denies, allows := standing(r, in)
	switch {
	case len(denies) > 0:
		return answer(r, Deny, denied(r, denies))
	case len(allows) > 0:
		d := answer(r, Allow, allowed(r, allows))
		d.Stands = standsBy(first(allows), r, in)
		return d
	case capability.Covered(r.Capability, in.Policy.Preapprove):
		d := answer(r, Allow, preapproved(r, in.Policy.Preapprove))
		d.Stands = stands(d.Reasons[0].By, r, in)
		return d
	case r.CanAsk:
		return answer(r, Ask, notGranted(r))
	default:
		return answer(r, Deny, notGranted(r))
	}
}

func answer(r Request, o Outcome, why Reason) Decision {
	return Decision{Request: r.ID, Outcome: o, Reasons: []Reason{why}}
}

// check refuses what cannot be compared. A denial on an unresolved path would
// match nothing and so permit what it was made to stop.
func check(r Request, in Input) error {
	if !r.Capability.Resolved() {
		return fmt.Errorf("the request's capability %q is not resolved", r.Capability.Display())
	}
	unresolved := func(c capability.Capability) bool { return !c.Resolved() }
	if slices.ContainsFunc(in.Policy.Forbid, unresolved) {
		return fmt.Errorf("the policy forbids %q, which is not resolved", least(in.Policy.Forbid, unresolved).Display())
	}
	var denies []capability.Capability
	for _, g := range in.Grants {
		if g.Outcome != grant.Allow && !g.Capability.IsZero() && concerns(g, r, in.Now) {
			denies = append(denies, g.Capability)
		}
	}
	if slices.ContainsFunc(denies, unresolved) {
		return fmt.Errorf("a standing deny on %q is not resolved", least(denies, unresolved).Display())
	}
	return nil
}

// concerns reports whether a grant was made for who asks, and stands.
func concerns(g grant.Grant, r Request, now time.Time) bool {
	return g.Principal == r.Subject.Principal && g.Pack == r.Subject.Pack && g.Applies(now, r.Subject.Session)
}

// stops reports whether a denial on d stops a request for c: it covers c or a
// part of it.
func stops(d, c capability.Capability) bool {
	return slices.ContainsFunc(c.Parts(), d.Covers)
}

// standing returns the grants that speak to r.
func standing(r Request, in Input) (denies, allows []grant.Grant) {
	for _, g := range in.Grants {
		switch {
		case !concerns(g, r, in.Now):
		case g.Outcome != grant.Allow && stops(g.Capability, r.Capability):
			denies = append(denies, g)
		case g.Outcome == grant.Allow && g.Capability.Covers(r.Capability):
			allows = append(allows, g)
		}
	}
	return denies, allows
}

// first returns the grant to name as the reason, whatever the order: the one
// that lasts longest, so that a grant for once is not used up needlessly; among
// these one that is not broad, since it says more.
func first(grants []grant.Grant) grant.Grant {
	return slices.MinFunc(grants, func(a, b grant.Grant) int {
		return cmp.Or(
			-cmp.Compare(a.Lifespan.Span, b.Lifespan.Span),
			cmp.Compare(breadth(a), breadth(b)),
			strings.Compare(a.ID, b.ID),
			strings.Compare(a.Capability.String(), b.Capability.String()),
			strings.Compare(a.Reason, b.Reason),
			strings.Compare(a.Lifespan.String(), b.Lifespan.String()),
		)
	})
}

func breadth(g grant.Grant) int {
	if g.Capability.Broad() {
		return 1
	}
	return 0
}
