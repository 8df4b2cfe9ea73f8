package main

import (
	"context"
	"os"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// Asks reports whether somebody would be asked about a right to a key: it can be
// granted, and was not refused in this session.
func (v *storing) Asks(key string, write bool) bool {
	c, err := storedRight(key, write)
	if err != nil || v.asks == nil {
		return false
	}
	v.asks.mu.Lock()
	refused := v.asks.refused[known{kind: c.Kind(), path: c.Scope()}]
	v.asks.mu.Unlock()
	if refused {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	d := decision.Decide(decision.Request{Subject: v.s.subject, Capability: c, CanAsk: true}, v.s.judged(v.grants))
	return d.Outcome == decision.Ask || d.Outcome == decision.Allow && !capability.Covered(c, v.have)
}

// Ask puts a right to a key to the gate, and to whoever answers what that asks.
func (v *storing) Ask(ctx context.Context, key string, write bool, pid int) {
	c, err := storedRight(key, write)
	if err != nil || v.asks == nil {
		return
	}
	t := v.asks
	touch := enforce.Touch{Kind: enforce.TouchStored, PID: pid, Call: "open"}
	touch.Argv = lineOf(pid)
	if name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); err == nil {
		touch.Program = strings.TrimSpace(string(name))
	}
	k := known{kind: c.Kind(), path: c.Scope()}
	worth, done := t.worth(ctx, k, c)
	defer done()
	if !worth {
		t.tally.Denied(k.kind)
		return
	}
	verdict := t.decide(ctx, touch, c, enforce.Object{})
	switch {
	case verdict.gone:
		return
	case verdict.d.Outcome != decision.Allow:
		t.denied(k, c, verdict)
		return
	}
	given := by(verdict.d)
	if !given.Covers(c) {
		given = c
	}
	grants, err := t.grants(ctx)
	if err != nil {
		t.stopped(ctx, k, touch, c, err)
		return
	}
	t.showing.Lock()
	t.in.Effective = append(t.in.Effective, given)
	t.showing.Unlock()
	v.gain(given, grants)
	t.tally.Allowed(k.kind)
}

// storedQuestion is what a person is asked about a stored value.
func (t *toucher) storedQuestion(q approval.Question, want capability.Capability) approval.Question {
	q.Offers = []approval.Offer{{Capability: q.Capability, Scope: approval.ScopeFile, Words: "only this value, and those beneath it", Broad: q.Capability.Broad()}}
	if offer, ok := declaredOffer(t.s.manifest.Open, want, q.Capability); ok {
		q.Offers = append(q.Offers, offer)
	}
	return q
}
