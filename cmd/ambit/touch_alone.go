package main

import (
	"context"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// alone reports whether a name that is made, changed or removed is decided about
// by itself, and not by its directory: in the person's home, which nobody is
// asked about as a whole, and where the name was granted or declared and the
// directory was not.
func (t *toucher) alone(ctx context.Context, touch enforce.Touch) bool {
	if !touch.Alone || touch.Create == "" || t.s.flags.ask == askRule {
		return false
	}
	if tooWide(touch, t.in.HomePath) {
		return touch.Path == t.in.HomePath
	}
	grants, err := t.grants(ctx)
	if err != nil {
		return false
	}
	name, err := capability.ForPath(capability.FSWrite, wantedPath(touch))
	if err != nil {
		return false
	}
	touch.Alone = false
	dir, err := touched(touch, t.in.HomePath)
	if err != nil {
		return false
	}
	ask := func(c capability.Capability) decision.Decision {
		return decision.Decide(decision.Request{Subject: t.s.subject, Capability: c, CanAsk: true}, t.s.judged(grants))
	}
	of, by := ask(dir), ask(name)
	undeclared := len(of.Reasons) > 0 && of.Reasons[0].Rule == decision.Undeclared
	return of.Outcome != decision.Allow && (by.Outcome == decision.Allow || undeclared && by.Outcome == decision.Ask)
}

// aloneQuestion is what a person is asked about a name.
func (t *toucher) aloneQuestion(q approval.Question, touch enforce.Touch, want capability.Capability) approval.Question {
	path := wantedPath(touch)
	q.Sensitive, _ = capability.Sensitive(path, t.in.HomePath)
	if q.Sensitive == "" {
		q.Sensitive, _ = capability.AboveSensitive(path, t.in.HomePath)
	}
	exact := approval.Offer{Capability: q.Capability, Scope: approval.ScopeFile, Broad: q.Sensitive != "" || q.Capability.Broad(),
		Words: "only this name, and what comes to be beneath it"}
	q.Offers = []approval.Offer{exact}
	if offer, ok := declaredOffer(t.s.manifest.Open, want, q.Capability); ok {
		q.Offers = append(q.Offers, offer)
	}
	return q
}
