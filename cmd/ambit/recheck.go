package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/store"
)

// recheckEvery is how often a session looks whether the grants have changed: a
// look at one file, so that a revocation bites within a second.
const recheckEvery = 250 * time.Millisecond

// A rechecker takes away from a running session what is no longer granted.
type rechecker struct {
	s      *prepared
	inside enforce.Session
	// shown are the objects that are in the view, by their capability.
	shown   func() map[capability.Capability][]enforce.Object
	zones   map[capability.Capability][]enforce.Object // as far as they are in the view
	network *network                                   // nil: the sandbox has none
	storing *storing                                   // nil: it has nothing that is stored
	asks    *toucher                                   // nil: nobody is asked
	// grants are those that stand now.
	grants func(context.Context) ([]grant.Grant, error)
	// forget is told of what is no longer in the view.
	forget func(capability.Capability)
	// replaced is told of one object of these that is no longer in the view; nil
	// where nothing would bring another one.
	replaced func(capability.Capability, enforce.Object)

	lost     []lost // of late
	unusable bool   // managed policy is, as it stands

	end  context.CancelFunc
	done sync.WaitGroup
}

// newRechecker makes the one of a launch that was prepared.
func (s *prepared) newRechecker() *rechecker {
	r := &rechecker{s: s, end: func() {}, zones: s.zoneObjects()}
	in := s.input
	r.shown = func() map[capability.Capability][]enforce.Object { return shown(in) }
	r.grants = func(ctx context.Context) ([]grant.Grant, error) {
		db, err := s.store.get()
		if err != nil {
			return nil, err
		}
		stored, err := db.Grants(ctx, s.subject.Principal, s.subject.Pack)
		return slices.Concat(stored, s.given), err
	}
	r.forget = func(c capability.Capability) {
		in.Effective = slices.DeleteFunc(slices.Clone(in.Effective), func(e capability.Capability) bool { return e == c })
	}
	return r
}

// shown are the objects of what was granted.
func shown(in enforce.Input) map[capability.Capability][]enforce.Object {
	all := map[capability.Capability][]enforce.Object{}
	for _, c := range in.Effective {
		all[c] = in.Objects[c.String()]
	}
	return all
}

// start begins to look, until stop.
func (r *rechecker) start(ctx context.Context, inside enforce.Session) {
	ctx, r.end = context.WithCancel(ctx)
	r.inside = inside
	r.done.Go(func() { r.run(ctx) })
}

// stop waits until nothing is being taken away.
func (r *rechecker) stop() {
	r.end()
	r.done.Wait()
}

// run looks until ctx ends.
func (r *rechecker) run(ctx context.Context) {
	dir, err := r.s.app.state()
	if err != nil {
		return // the launch would have failed
	}
	path := filepath.Join(dir, grantsStore)
	last, until, again := r.s.stamp, r.expiry(r.s.grants()), false // what was changed since is a change
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if look%replacedEvery == 0 {
			r.letGo()
		}
		r.loseAgain(ctx)
		now := store.Stamp(path)
		if now != last {
			again = true // two changes may have one stamp: the next look is one more
		}
		expired := !until.IsZero() && !r.s.app.now().Before(until)
		ruled := r.ruled()
		if now == last && !again && !expired && !ruled {
			continue
		}
		if r.unusable {
			again = true // every decision would be a failure
			continue
		}
		again = again && now != last
		last = now
		grants, err := r.grants(ctx)
		if err != nil {
			again = true
			continue
		}
		until = r.expiry(grants)
		r.network.recheck(grants)
		r.take(ctx, grants)
	}
}

// expiry is when the next grant runs out; zero: none does.
func (r *rechecker) expiry(grants []grant.Grant) (next time.Time) {
	for _, g := range grants {
		if u := g.Lifespan.Until; !u.IsZero() && u.After(r.s.app.now()) && (next.IsZero() || u.Before(next)) {
			next = u
		}
	}
	return next
}

// A losing is what is no longer granted.
type losing struct {
	c       capability.Capability
	objects []enforce.Object
	d       decision.Decision
}

// take decides anew about everything that the view shows.
//
// Security: what the decision denies now is taken away, whichever grant it came
// by; what cannot be taken away ends the session.
func (r *rechecker) take(ctx context.Context, grants []grant.Grant) {
	r.storing.changed(grants)
	var all []losing
	shown := r.shown()
	for c, objects := range r.zones {
		shown[c] = append(slices.Clone(shown[c]), objects...)
	}
	for c, objects := range shown {
		d := r.s.still(c, objects, grants)
		if d.Outcome == decision.Allow || r.usedUp(c) {
			continue
		}
		all = append(all, losing{c, objects, d})
		r.lost = append(r.lost, lost{c, objects, lostLooks})
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b losing) int { return strings.Compare(a.c.String(), b.c.String()) })
	if c, err := r.lose(ctx, all); err != nil && ctx.Err() == nil {
		r.mustEnd(c, err)
	}
}

// mustEnd ends a session that keeps what it should have lost.
func (r *rechecker) mustEnd(c capability.Capability, cause error) {
	printf(r.s.app.err, "ambit: %s could not be taken away, so the session is ended: %s\n", c.Display(), capability.Printable(cause.Error()))
	_ = r.inside.Kill() // it may have ended by itself
}

// usedUp reports whether c was given for once: this session is that once.
func (r *rechecker) usedUp(c capability.Capability) bool {
	return slices.ContainsFunc(r.s.stored, func(g grant.Grant) bool {
		return g.Lifespan.Span == grant.Once && g.Outcome == grant.Allow && g.Capability.Covers(c)
	})
}

// lose hides the objects of capabilities, all at once, and records what that came
// to. An error comes with the first one that could not be taken away.
func (r *rechecker) lose(ctx context.Context, all []losing) (first capability.Capability, err error) {
	var paths []string
	for _, l := range all {
		r.storing.lose(l.c)
		for _, o := range l.objects {
			paths = append(paths, o.Path)
		}
	}
	first = all[0].c
	open, failed := r.inside.Hide(paths...)
	if failed != nil && ctx.Err() != nil {
		return first, failed // the session has ended meanwhile, and nothing in it has anything
	}
	ctx = context.WithoutCancel(ctx) // what the program may have ended of is recorded all the same
	if failed != nil {
		open = make([][]enforce.Open, len(paths))
	}
	var bodies []*audit.EffectBody
	var records []audit.Record
	for _, l := range all {
		b := audit.EffectBody{Capability: audit.Text(l.c.Display()), Reason: rule(l.d)}
		if len(l.d.Reasons) > 0 {
			b.Policy, b.Set = audit.Text(l.d.Reasons[0].Policy), l.d.Reasons[0].Set
		}
		n := len(l.objects)
		if failed == nil {
			tellOpen(&b, l.objects, open[:n])
		}
		open = open[n:]
		if cause := cannotLose(l.c, failed); cause != nil {
			b.Error = audit.Text(cause.Error())
			if err == nil {
				first, err = l.c, cause
			}
		}
		r.forget(l.c)
		delete(r.zones, l.c)
		rec, e := audit.New(b)
		if e != nil {
			return first, e
		}
		rec.ID, rec.Session, rec.Principal, rec.Pack = audit.NewID("e"), r.s.subject.Session, r.s.subject.Principal, r.s.subject.Pack
		bodies, records = append(bodies, &b), append(records, rec)
	}
	if _, e := r.s.Append(ctx, records...); e != nil {
		return first, fmt.Errorf("record it: %w", e)
	}
	if !r.s.app.json {
		for _, b := range bodies {
			printf(r.s.app.err, "ambit: %s\n", effectWords(b))
		}
	}
	return first, err
}

// cannotLose is why a capability stays, if it does.
func cannotLose(c capability.Capability, failed error) error {
	if c.Kind() == capability.ProcessSpawn && c.Scope() == "" {
		failed = errors.Join(errors.New("a running program that may start others cannot be kept from it"), failed)
	}
	return failed
}

// tellOpen puts down what led to the objects, and what is open of them.
func tellOpen(b *audit.EffectBody, objects []enforce.Object, open [][]enforce.Open) {
	for i, o := range objects {
		b.Paths = append(b.Paths, audit.Text(o.Path))
		for _, h := range open[i] {
			if len(b.Open) == maxHeld {
				b.More++
				continue
			}
			b.Open = append(b.Open, audit.HeldBody{PID: h.PID, Program: audit.Text(h.Program), What: h.What, Path: audit.Text(h.Path)})
		}
	}
}

func rule(d decision.Decision) string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return string(d.Reasons[0].Rule)
}
