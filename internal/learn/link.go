package learn

import (
	"maps"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// A Link is a symbolic link of the host that the program's way led through, or
// the name by which it started a program.
type Link struct {
	Path string // of the link
	Real string // what it leads to in the end
}

// named has the wants spelled by the links that lead to them. A link to what is
// seen without asking, or lies in something wider, is a line of its own: what it
// leads to is there, the link is not.
func (f *folding) named(wants []Want, links []Link) []Want {
	sorted := map[Link]bool{}
	for _, l := range links {
		if !f.look.secret(l.Path) && !f.look.secret(l.Real) && l.Path != l.Real {
			sorted[l] = true
		}
	}
	for _, l := range slices.SortedFunc(maps.Keys(sorted), func(a, b Link) int { return strings.Compare(a.Path, b.Path) }) {
		wants = f.name(wants, l)
	}
	return wants
}

func (f *folding) name(wants []Want, l Link) []Want {
	real, link := one(capability.FSRead, l.Real).Scope(), one(capability.FSRead, l.Path).Scope()
	if real == "" || link == "" {
		return wants
	}
	found := false
	for i, w := range wants {
		scope := w.Capability.Scope()
		if _, ok := w.Capability.Pattern(); !ok || !within(scope, real) || !f.apart(w, l, wants) {
			continue
		}
		c, err := capability.Parse(string(w.Capability.Kind()) + ":" + link + strings.TrimPrefix(scope, real))
		if err != nil {
			continue // too long, or as wide as the whole file system
		}
		p, _ := c.Pattern()
		if lit, literal := p.Literal(); literal && f.look.secret(lit) {
			continue // by this name it would be one
		}
		wants[i].As, found = append(wants[i].As, c), true
	}
	if found || f.base.exposed(l.Real) || !f.base.shown(l.Real) && !covered(wants, l.Real) || f.base.shown(l.Path) || covered(wants, l.Path) {
		return wants
	}
	w := Want{Capability: one(capability.FSRead, l.Real), As: []capability.Capability{one(capability.FSRead, l.Path)}, By: []Use{{"a link, " + path.Base(l.Path), 1}}}
	return append(wants, w)
}

// apart reports whether a link has to be shown for w: it is not in the view by
// itself. Programs are named by links everywhere: where only some may be
// started, their directories have no others.
func (f *folding) apart(w Want, l Link, wants []Want) bool {
	return w.Capability.Kind() == capability.ProcessSpawn || !f.base.shown(l.Path) && !covered(wants, l.Path)
}

// covered reports whether a path lies in a directory of the wants.
func covered(wants []Want, p string) bool {
	c := one(capability.FSRead, p)
	return slices.ContainsFunc(wants, func(w Want) bool { return w.Capability.Covers(c) })
}
