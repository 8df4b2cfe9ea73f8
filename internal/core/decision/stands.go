package decision

import (
	"slices"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// Stands says for what an Allow about a flow or a request over one holds beside
// the request that it answered, for the same subject, for as long as grants,
// manifest and policy are what they were: for the same again, and for what Also
// covers. A denial never stands: somebody may be asked, and say yes.
type Stands struct {
	Also  capability.Capability `json:"also,omitzero"`  // of one destination; zero: nothing but the same
	Until time.Time             `json:"until,omitzero"` // it ends by itself then; zero: not
}

// standsBy is how an Allow stands that rests on a grant. One that rests on a grant
// for once does not.
func standsBy(g grant.Grant, r Request, in Input) *Stands {
	if g.Lifespan.Span == grant.Once {
		return nil
	}
	s := stands(g.Capability, r, in)
	if s != nil {
		s.Until = g.Lifespan.Until
	}
	return s
}

// stands is how an Allow stands that rests on a capability.
//
// Security: what Also covers would be answered Allow too, whatever it is. It is of
// the one destination of the request, so a denial or a ban that could stop any of
// it leads to that destination, and then nothing but the same request is covered.
// The manifest declares all of it. TestStands holds this against Decide.
func stands(by capability.Capability, r Request, in Input) *Stands {
	to, ok := r.Capability.Destination()
	if !ok || in.Policy.Judge != nil && in.Policy.Judge.Rules() {
		return nil // what rules say of others nobody knows here
	}
	also, ok := by.At(to)
	if !ok || leads(to, r, in) {
		return &Stands{}
	}
	if _, ok := in.Manifest.Declares(also); !ok {
		return &Stands{}
	}
	return &Stands{Also: also}
}

// leads reports whether some denial or ban is about a destination, or about some
// requests there.
func leads(to capability.Capability, r Request, in Input) bool {
	about := func(c capability.Capability) bool { return c.Flow().Covers(to) }
	return slices.ContainsFunc(in.Policy.Forbid, about) || slices.ContainsFunc(in.Grants, func(g grant.Grant) bool {
		return g.Outcome != grant.Allow && concerns(g, r, in.Now) && about(g.Capability)
	})
}
