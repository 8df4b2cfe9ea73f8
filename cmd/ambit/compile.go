package main

import (
	"context"
	"slices"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/session"
)

// watchFiles reports whether opens are seen. A pack is a stranger's, and what it
// tries is worth more than the microseconds.
func (s *prepared) watchFiles() bool {
	return s.flags.watch == "on" || s.flags.watch == "auto" && s.packDir != "" && enforce.Watches(s.tier.name)
}

// withoutVolumes leaves out what is there for a volume alone: it is in the plan
// as that volume. What else grants the source of one shows it at its own path. The
// place of a zone is never the host's.
func (s *prepared) withoutVolumes(effective []capability.Capability) []capability.Capability {
	return slices.DeleteFunc(slices.Clone(effective), func(c capability.Capability) bool {
		return s.placesZone(c) || slices.ContainsFunc(s.volumes, func(v volume) bool { return v.target == c || v.source == c && !s.grantedApart(c) })
	})
}

// grantedApart reports whether something else than a volume grants c.
func (s *prepared) grantedApart(c capability.Capability) bool {
	if _, ok := s.manifest.Declares(c); !ok {
		return false
	}
	covers := func(p capability.Capability) bool { return p.Covers(c) }
	return slices.ContainsFunc(s.policy.Preapprove, covers) || slices.ContainsFunc(s.grants(), func(g grant.Grant) bool {
		return g.Origin != byVolume && g.Outcome == grant.Allow && g.Applies(s.app.now(), s.subject.Session) && covers(g.Capability)
	})
}

// masks are the denials that may lie inside what is allowed. One that lies
// elsewhere does no harm: there is nothing to hide.
func (s *prepared) masks(effective []capability.Capability, grants []grant.Grant) (masked []capability.Capability, err error) {
	holes, err := s.managedHoles(effective)
	if err != nil {
		return nil, err
	}
	denials := slices.Concat(s.policy.Forbid, holes)
	for _, g := range grants {
		if g.Outcome == grant.Deny && g.Applies(s.app.now(), s.subject.Session) {
			denials = append(denials, g.Capability)
		}
	}
	for _, d := range denials {
		pattern, path := d.Pattern()
		glob, pack := false, false
		if path {
			at, literal := pattern.Literal()
			glob, pack = !literal, literal && s.packDir != "" && under(at, s.packDir) // which is shown without a grant
		}
		inside := func(e capability.Capability) bool {
			return slices.ContainsFunc(e.Parts(), func(p capability.Capability) bool { return p.Covers(d) })
		}
		if glob || pack || d.Kind() == capability.ProcessSpawn || slices.ContainsFunc(effective, inside) {
			masked = append(masked, d)
		}
	}
	return masked, nil
}

// compile finds the objects and makes the plan.
func (s *prepared) compile(effective []capability.Capability, p program, base enforce.Base) error {
	masked, err := s.masks(effective, s.grants())
	if err != nil {
		return err
	}
	if err := s.deniedInZone(masked); err != nil {
		return err
	}
	in := enforce.Input{
		Session: s.subject.Session, Tier: s.tier.name, Effective: s.withoutVolumes(effective), Masked: masked,
		Objects: map[string][]enforce.Object{}, AdHoc: s.packDir == "", WatchOpens: s.watchFiles(),
		HomePath: s.base.Home, Base: base, Terminal: s.app.terminal(), Ask: s.flags.asks(),
		Notify: s.flags.asks() && s.flags.askBy == askByNotification, Executables: p.objects,
	}
	if err := s.find(&in); err != nil {
		return err
	}
	in.AskRun, in.AskStored = s.asksToRun(in), s.asksToStore(in)
	if s.startsSome(effective) || len(in.AskRun) > 0 {
		if in.Base.Beside, err = s.beside(); err != nil {
			return err
		}
	}
	if err := s.offer(in); err != nil {
		return err
	}
	if err := s.link(&in); err != nil {
		return err
	}
	if err := s.openDeno(&in); err != nil {
		return err
	}
	in.Quiet, in.AskSpawn = s.quietPlaces(in), s.asksToSpawn(in)
	dir, home := s.workDir(in), in.HomePath
	if home == "" {
		home = "/nonexistent"
	}
	env, err := s.environment(dir, home)
	if err != nil {
		return err
	}
	in.Program = enforce.Program{Path: p.path, Argv: p.argv, Dir: dir, Env: env}
	f := bounds(s.facts, in.Limits)
	f.FUSE, f.TUN = (in.Ask && !in.Notify || in.Appends() || in.Stores()) && trapOpens(), in.Link != nil && tunOpens()
	plan, err := enforce.Compile(in, f)
	if err != nil {
		return err
	}
	s.input = in
	s.specify(effective, plan)
	return nil
}

// find finds the objects of what was granted, the home, the bounds and the pack.
func (s *prepared) find(in *enforce.Input) (err error) {
	if err := s.objects(in); err != nil {
		return err
	}
	if err := s.home(in); err != nil {
		return err
	}
	if in.Limits, err = s.limits(); err != nil {
		return err
	}
	if err := s.boundZones(in.Volumes); err != nil {
		return err
	}
	if err := s.countTogether(in.Volumes); err != nil {
		return err
	}
	if s.packDir == "" {
		return nil
	}
	pack, err := view.Resolve(s.packDir)
	in.Pack = &pack
	return err
}

// specify says what a session is to run, and under which plan.
func (s *prepared) specify(effective []capability.Capability, plan enforce.Plan) {
	s.spec = session.Spec{
		ID: s.subject.Session, Principal: s.subject.Principal, Pack: s.subject.Pack, Digest: s.subject.Digest,
		Decide: func(ctx context.Context, launch audit.Record) error {
			if err := s.launchable(); err != nil {
				return err
			}
			return s.record(ctx, launch)
		},
		Plan: plan, Stdio: s.app.stdio(), TraceState: s.app.trace().state, Began: s.began,
	}
	for _, c := range effective {
		s.spec.Effective = append(s.spec.Effective, c.String())
	}
	s.spec.Watched = watched(s.input, plan)
}

// watched finds the capabilities whose use is seen by what is opened: those of files
// whose objects are entries of the view of their own. One that lies in what is
// shown anyway is not told from that.
func watched(in enforce.Input, plan enforce.Plan) (all []session.Watched) {
	if !plan.Filter.WatchOpens || in.Ask {
		return nil
	}
	own := map[string]bool{}
	for _, e := range plan.View {
		own[e.Path] = e.Op == enforce.OpBind && !e.Pin
	}
	for _, c := range in.Effective {
		if c.Kind() != capability.FSRead && c.Kind() != capability.FSWrite {
			continue
		}
		w := session.Watched{Capability: c.String()}
		for _, o := range in.Objects[w.Capability] {
			if own[o.Path] {
				w.Paths = append(w.Paths, o.Path)
			}
		}
		if len(w.Paths) > 0 && len(w.Paths) == len(in.Objects[w.Capability]) {
			all = append(all, w)
		}
	}
	return all
}
