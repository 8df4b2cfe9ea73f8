package enforce

import (
	"slices"

	"ambit.dev/ambit/internal/core/capability"
)

// Later makes the entries for a grant that comes while the program runs: binds
// of the objects that c reaches, parents before children, each followed by the
// masks and pins that lie in it.
//
// in is what the plan was compiled from, brought up to date: Effective with what
// was granted since, Masked with every denial that may lie inside, Objects with
// the objects of both, Base.Sockets as they are now. An object that the view has
// already gets the wider of both rights.
//
// Security: the rules are those of Compile. What cannot be kept closed inside is
// an error, and nothing is shown; so is what is the sandbox's own.
func Later(in Input, c capability.Capability, objects []Object) ([]Entry, error) {
	if c.Kind() == capability.FSAppend {
		return nil, &CannotEnforce{c.Display(), "what may only grow is shown from the start of a program, or not at all"}
	}
	had := &effective{tier: in.promises(), adHoc: in.AdHoc, start: in.Executables, link: in.Link != nil}
	if err := had.open(in); err != nil {
		return nil, err
	}
	set := &effective{tier: in.promises(), adHoc: in.AdHoc, start: in.Executables, link: in.Link != nil, before: had.grants}
	if err := set.add(c, objects); err != nil {
		return nil, err
	}
	if err := set.widen(in, c); err != nil {
		return nil, err
	}
	if err := set.besideServed(c); err != nil {
		return nil, err
	}
	// A volume shows at its own place what was granted at the start, no more.
	in.Volumes = nil
	if err := set.close(in); err != nil {
		return nil, err
	}
	l := &layout{mounts: map[string]Entry{}}
	for _, e := range set.grants {
		l.grant(e)
	}
	return l.later(c, set.masks)
}

// widen adds what is to be executed, and gives each new bind the rights that its
// object has in the view already: it is mounted over that, and must not take
// anything away. A program in a writable directory is the exception, as at a
// launch: it is granted as it is, not as what it may be changed to.
func (e *effective) widen(in Input, c capability.Capability) error {
	for i := range e.grants {
		g := &e.grants[i]
		for _, b := range e.before {
			if b.Op == OpBind && b.Path == b.Source && within(g.Path, b.Path) {
				g.Write = g.Write || b.Write
			}
		}
		g.Exec = in.keepsExec(*g) || slices.ContainsFunc(e.start, func(o Object) bool { return o.Path == g.Path })
	}
	for _, o := range e.spawn {
		if own(o.Path) {
			return &CannotEnforce{c.Display(), o.Path + " is the sandbox's own, the host's cannot be shown"}
		}
		g := bind(o, slices.ContainsFunc(e.before, func(b Entry) bool { return b.Path == o.Path && b.Source == o.Path && b.Write }))
		g.Exec = true
		e.grants = append(e.grants, g)
	}
	return nil
}

// besideServed refuses what would lie in an append-only folder or in one that is
// changed elsewhere, or let what is append-only be changed.
//
// Security: as Compile does for what is granted from the start.
func (e *effective) besideServed(c capability.Capability) error {
	for i := range e.before {
		b := &e.before[i]
		if b.Op != OpAppend && b.Op != OpOverlay && b.Op != OpBounded {
			continue
		}
		for j := range e.grants {
			switch g := &e.grants[j]; {
			case b.Op == OpAppend && g.Write && (within(g.Source, b.Source) || within(b.Source, g.Source)):
				return &CannotEnforce{c.Display(), "what lies at " + b.Path + " is append-only, and could be changed"}
			case b.Op == OpBounded && g.Write && (within(g.Source, b.Source) || within(b.Source, g.Source)):
				return &CannotEnforce{c.Display(), "what lies at " + b.Path + " is counted, and could be changed uncounted"}
			case within(g.Path, b.Path):
				return &CannotEnforce{c.Display(), "it would lie in " + b.Path + ", which is append-only or changed elsewhere"}
			}
		}
	}
	return nil
}

// later orders the new mounts with the masks that lie in them.
func (l *layout) later(c capability.Capability, masks []Entry) ([]Entry, error) {
	granted := make([]Entry, 0, len(l.mounts))
	for _, e := range l.mounts {
		if !l.covered(e) {
			granted = append(granted, e)
		}
	}
	inside := func(m Entry) bool {
		return slices.ContainsFunc(granted, func(g Entry) bool { return m.Path != g.Path && within(m.Path, g.Path) })
	}
	for _, m := range masks {
		if m.Op == OpMask && slices.ContainsFunc(granted, func(g Entry) bool { return within(g.Path, m.Path) }) {
			return nil, &CannotEnforce{c.Display(), m.Path + " is denied"}
		}
		if inside(m) && !m.Socket {
			l.pin(m.Path)
		}
	}
	var out []Entry
	for _, e := range l.mounts {
		if !l.covered(e) {
			out = append(out, e)
		}
	}
	out = append(out, outermost(slices.DeleteFunc(slices.Clone(masks), func(m Entry) bool { return !inside(m) }))...)
	slices.SortStableFunc(out, func(a, b Entry) int { return byPath(a.Path, b.Path) })
	return out, nil
}
