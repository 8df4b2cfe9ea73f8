package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// byAsking is the origin of grants that are answers.
const byAsking = "asked"

// grants are those that stand now: of the store, of the flags, and those for
// once that this session has used.
func (t *toucher) grants(ctx context.Context) ([]grant.Grant, error) {
	db, err := t.s.store.get()
	if err != nil {
		return nil, err
	}
	// The store first: a grant that is used up meanwhile is then in used.
	stored, err := db.Grants(ctx, t.s.subject.Principal, t.s.subject.Pack)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(stored, t.s.given, t.used), nil
}

// keep makes a grant of a person's answer. An answer for once is good until the
// program ends: what is in the view stays there. A refusal for once is remembered
// and not kept.
//
// Security: the record is durable before the grant can be used.
func (t *toucher) keep(ctx context.Context, q approval.Question, a approval.Answer) error {
	g := grant.Grant{ID: audit.NewID("g"), Principal: q.Principal, Pack: q.Pack, Digest: q.Digest, Capability: a.Capability,
		Outcome: a.Outcome, Origin: byAsking, Reason: "answer to " + q.ID + ", " + a.By, Created: t.s.app.now().UTC()}
	switch a.Span {
	case grant.Until:
		g.Lifespan = grant.Lifespan{Span: grant.Until, Until: a.Until}
	case grant.Always:
		g.Lifespan = grant.Lifespan{Span: grant.Always}
	default:
		if a.Span == grant.Once && !a.Allowed() {
			return nil
		}
		g.Lifespan = grant.Lifespan{Span: grant.Session, Session: q.Session}
	}
	db, err := t.s.store.get()
	if err != nil {
		return err
	}
	if err := t.s.recordGrant(ctx, g, false, g.Reason); err != nil {
		return err
	}
	if err := db.AddGrant(ctx, g); err != nil {
		return err
	}
	if g.Lifespan.Span == grant.Session {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.made = append(t.made, g)
	}
	return nil
}

// settled reports whether the grants say by now what is to be asked.
func (t *toucher) settled(ctx context.Context, q approval.Question) (approval.Answer, bool) {
	grants, err := t.grants(ctx)
	if err != nil {
		return approval.Answer{}, false
	}
	in := t.s.judged(grants)
	if path, ok := isSocket(q.Capability); ok {
		in = t.s.naming(path, grants)
	}
	a := approval.Answer{Capability: q.Capability, Text: "denied meanwhile"}
	switch d := decision.Decide(decision.Request{Subject: t.s.subject, Capability: q.Capability, CanAsk: true}, in); d.Outcome {
	case decision.Ask:
		run, ok := t.mayRun(ctx, q.Capability)
		return approval.Answer{Capability: run, Outcome: grant.Allow, Text: "it may be run by now"}, ok
	case decision.Allow:
		a.Outcome, a.Text = grant.Allow, "granted meanwhile"
	default:
	}
	return a, true
}

// give makes a grant that is good until the program ends, and is not stored.
//
// Security: the record is durable before the grant can be used.
func (t *toucher) give(ctx context.Context, g grant.Grant) error {
	if err := t.s.recordGrant(ctx, g, false, g.Reason); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = append(t.used, g)
	return nil
}

// useUp ends the stored grant for once that an answer rests on. The session goes
// on having it: what it gives is in the view.
func (t *toucher) useUp(ctx context.Context, d decision.Decision) error {
	db, err := t.s.store.get()
	if err != nil {
		return err
	}
	stored, err := db.Grants(ctx, t.s.subject.Principal, t.s.subject.Pack)
	if err != nil {
		return err
	}
	for _, r := range d.Reasons {
		i := slices.IndexFunc(stored, func(g grant.Grant) bool {
			return g.ID == r.Grant && g.Lifespan.Span == grant.Once && g.Outcome == grant.Allow
		})
		if i < 0 || !t.using(stored[i]) {
			continue
		}
		if err := t.s.useOne(ctx, stored[i]); err != nil {
			t.mu.Lock()
			t.used = slices.DeleteFunc(t.used, func(g grant.Grant) bool { return g.ID == r.Grant })
			t.mu.Unlock()
			return err
		}
	}
	return nil
}

// using notes that this session has used g, and reports whether it is the first
// of it to do so.
func (t *toucher) using(g grant.Grant) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(t.used, func(u grant.Grant) bool { return u.ID == g.ID }) {
		return false
	}
	g.Lifespan = grant.Lifespan{Span: grant.Session, Session: t.s.subject.Session}
	t.used = append(t.used, g)
	return true
}

// end takes back what was given until the end of the session. Nobody touches
// anything any more.
func (t *toucher) end(ctx context.Context) error {
	t.desk.Wait()
	t.mu.Lock()
	made := slices.Clone(t.made)
	t.mu.Unlock()
	var failed error
	for _, g := range made {
		if err := t.takeBack(ctx, g); err != nil {
			failed = errors.Join(failed, fmt.Errorf("end grant %s: %w", g.ID, err))
		}
	}
	return failed
}

func (t *toucher) takeBack(ctx context.Context, g grant.Grant) error {
	db, err := t.s.store.get()
	if err != nil {
		return err
	}
	if err := t.s.recordGrant(ctx, g, true, "its session ended"); err != nil {
		return err
	}
	if _, err := db.RevokeGrant(ctx, g.ID, t.s.app.now()); err != nil && !errors.Is(err, store.ErrRevoked) {
		return err
	}
	return nil
}

// recordGrant records what becomes of a grant in this session.
func (s *prepared) recordGrant(ctx context.Context, g grant.Grant, revoked bool, why string) error {
	rec, err := grantRecord(g, revoked, why)
	if err != nil {
		return err
	}
	rec.Session = s.subject.Session
	if _, err := s.Append(ctx, rec); err != nil {
		return fmt.Errorf("record grant %s: %w", g.ID, err)
	}
	return nil
}
