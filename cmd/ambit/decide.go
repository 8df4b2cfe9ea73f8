package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// recordRefusal records a launch that was refused before anything was built.
func (s *prepared) recordRefusal(ctx context.Context, cause error) error {
	if s.flags.plan || s.subject.Session == "" {
		return nil
	}
	body := audit.EndBody{Status: "refused", Exit: exitFailed, Error: audit.Text(strings.Join(s.argv, " ") + ": " + cause.Error())}
	if exit, ok := errors.AsType[*exitError](cause); ok {
		body.Exit = exit.status
	}
	rec, err := audit.New(body)
	if err != nil {
		return err
	}
	rec.Session, rec.Principal, rec.Pack = s.subject.Session, s.subject.Principal, s.subject.Pack
	if _, err := s.Append(ctx, rec); err != nil {
		return fmt.Errorf("record the refusal: %w", err)
	}
	return nil
}

// recordDenied makes the answers of a denied launch durable.
func (s *prepared) recordDenied(ctx context.Context) error {
	if s.flags.plan {
		return nil
	}
	return s.record(ctx)
}

// decide works out what the gate will answer about everything that was
// declared or allowed, and returns the effective set. What a person allowed by
// name and the gate denies denies the launch.
func (s *prepared) decide(p program) ([]capability.Capability, error) {
	defer s.managed.hold()()
	s.ruled = s.managed.Rules()
	s.ask(p)
	if err := s.askPolicy(); err != nil {
		return nil, err
	}
	for i := range s.questions {
		q := &s.questions[i]
		for _, r := range q.requests {
			in := decision.Input{Manifest: q.manifest, Grants: s.grants(), Policy: s.policy, Now: s.app.now()}
			q.answers = append(q.answers, decision.Decide(r, in))
		}
	}
	return s.sort()
}

// record puts the same questions to the gate, which makes the answers durable,
// and the records of then behind them. It runs while the sandbox is built; the
// launch rests on its answers.
func (s *prepared) record(ctx context.Context, then ...audit.Record) error {
	defer s.managed.hold()()
	used := map[string]bool{}
	for i, q := range s.questions {
		behind := func(answers []decision.Decision) (group []audit.Record) {
			for _, d := range answers {
				for _, r := range d.Reasons {
					used[r.Grant] = true
				}
			}
			if i == len(s.questions)-1 && q.differ(answers) == nil && len(s.once(used)) == 0 {
				group, then = then, nil
			}
			return group
		}
		if err := q.differ(s.gate(q.manifest).CheckAllThen(ctx, q.requests, behind)); err != nil {
			return err
		}
	}
	if err := s.useUp(ctx, s.once(used)); err != nil || len(then) == 0 {
		return err
	}
	if _, err := s.Append(ctx, then...); err != nil {
		return fmt.Errorf("the launch could not be recorded: %w", err)
	}
	return nil
}

// once are the stored grants for once among those that are used.
func (s *prepared) once(used map[string]bool) (all []grant.Grant) {
	for _, g := range s.stored {
		if g.Lifespan.Span == grant.Once && g.Outcome == grant.Allow && used[g.ID] {
			all = append(all, g)
		}
	}
	return all
}

// useUp ends the grants for once on which this launch rests. Of two launches at
// once one finds its grant gone, and does not happen.
func (s *prepared) useUp(ctx context.Context, once []grant.Grant) error {
	for _, g := range once {
		if err := s.useOne(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// useOne ends a stored grant for once.
func (s *prepared) useOne(ctx context.Context, g grant.Grant) error {
	if err := s.recordGrant(ctx, g, true, "used"); err != nil {
		return err
	}
	db, err := s.store.get()
	if err != nil {
		return err
	}
	if _, err := db.RevokeGrant(ctx, g.ID, s.app.now()); err != nil {
		return fmt.Errorf("use grant %s: %w", g.ID, err)
	}
	return nil
}

// questions are requests that are decided under one manifest.
type questions struct {
	manifest manifest.Manifest
	requests []decision.Request
	answers  []decision.Decision
}

// differ is why the launch cannot rest on these answers: it was prepared for others.
func (q questions) differ(answers []decision.Decision) error {
	for i, d := range answers {
		if d.Outcome != q.answers[i].Outcome {
			return fmt.Errorf("%s: %s", q.requests[i].Capability.Display(), reason(d))
		}
	}
	return nil
}

// ask collects the questions. The sources of a pack's volumes are asked about
// apart: its manifest cannot know them, but what is forbidden or denied stays so.
func (s *prepared) ask(p program) {
	s.named = map[capability.Capability]bool{}
	s.questions = []questions{{manifest: s.manifest, requests: s.requests(p)}}
	if s.packDir == "" || len(s.volumes) == 0 {
		return
	}
	sources := questions{manifest: manifest.Manifest{Open: true}}
	for _, v := range s.volumes {
		s.named[v.source] = true
		sources.requests = append(sources.requests, decision.Request{ID: audit.NewID("d"), Subject: s.subject,
			Capability: v.source, Why: "shown at " + v.target.Scope()})
	}
	s.questions = append(s.questions, sources)
}

// grants are those of the store and those of the flags.
func (s *prepared) grants() []grant.Grant { return slices.Concat(s.stored, s.given) }

// requests are the questions of a launch: the program of an ad hoc run, what
// the flags allow, what the manifest declares, what was granted before.
func (s *prepared) requests(p program) (requests []decision.Request) {
	why := map[capability.Capability]string{}
	if s.packDir == "" {
		if c, err := capability.ForPath(capability.ProcessSpawn, p.real); err == nil {
			s.give(c, grant.Allow, byFlag)
			why[c] = "the command that was given"
		}
	}
	for _, g := range s.given {
		if g.Outcome == grant.Allow && (g.Origin != byVolume || s.packDir == "") { // a pack's are asked about apart
			s.named[g.Capability] = true
		}
	}
	ask := slices.Collect(maps.Keys(s.named))
	for _, w := range s.manifest.Wants {
		ask = append(ask, w.Capability)
		why[w.Capability] = w.Reason
	}
	for _, g := range s.stored {
		if g.Outcome == grant.Allow && g.Applies(s.app.now(), s.subject.Session) {
			ask = append(ask, g.Capability)
		}
	}
	slices.SortFunc(ask, func(a, b capability.Capability) int { return strings.Compare(a.String(), b.String()) })
	for _, c := range slices.Compact(ask) {
		requests = append(requests, decision.Request{ID: audit.NewID("d"), Subject: s.subject, Capability: c, Why: why[c],
			CanAsk: !s.named[c] && !s.placesZone(c) && s.flags.asks()})
	}
	return requests
}

// sort splits the answers into the effective set and denials.
func (s *prepared) sort() (effective []capability.Capability, err error) {
	denied := false
	for _, q := range s.questions {
		for i, d := range q.answers {
			r := q.requests[i]
			switch {
			case d.Outcome == decision.Allow:
				effective = append(effective, r.Capability)
			case d.Outcome == decision.Ask: // at its first touch
			case s.named[r.Capability] || failed(d):
				denied = true
				s.refusal(r, d)
			default:
				s.ungranted(s.manifest, r, d)
			}
		}
	}
	if denied {
		return nil, &exitError{status: exitDenied}
	}
	return effective, nil
}
