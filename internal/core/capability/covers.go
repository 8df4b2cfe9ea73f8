package capability

import (
	"slices"
	"strings"
)

// implied lists the kinds that a kind covers beside itself, with the same scope: a
// stream is kept open over a connection.
var implied = map[Kind][]Kind{
	FSWrite:   {FSRead, FSAppend},
	NetStream: {NetConnect},
}

// Covers reports whether c permits everything that d permits.
func (c Capability) Covers(d Capability) bool {
	r, ok := find(c.kind)
	if !ok || c.kind != d.kind && !slices.Contains(implied[c.kind], d.kind) {
		return false
	}
	switch {
	case c.scope == "" || c.scope == d.scope:
		return true
	case d.scope == "", r.path && apart(c.scope, d.scope):
		return false
	default:
		of, _ := find(d.kind) // which may have more to its scope: net.connect has UDP
		return r.parsed(c.scope).Covers(of.parsed(d.scope))
	}
}

// apart reports whether an absolute path scope cannot cover another, by a look
// at the directories that come before its first glob: they have to be the
// other's too. It spares parsing the many grants that have nothing to do with a
// request.
func apart(c, d string) bool {
	if i := strings.IndexAny(c, `*?[`); i >= 0 {
		c = c[:i]
	}
	return strings.HasPrefix(c, "/") && !strings.HasPrefix(d, c[:strings.LastIndexByte(c, '/')+1])
}

// Parts returns c and, with the same scope, every other kind that it permits:
// of fs.write also fs.read and fs.append, of net.stream also net.connect. Whoever
// denies one of them denies c.
func (c Capability) Parts() []Capability {
	parts := []Capability{c}
	for _, k := range implied[c.kind] {
		parts = append(parts, Capability{kind: k, scope: c.scope})
	}
	return parts
}

// Covered reports whether one of by covers c. Several that cover c only
// together do not count.
func Covered(c Capability, by []Capability) bool {
	return slices.ContainsFunc(by, func(b Capability) bool { return b.Covers(c) })
}

// Attenuate splits what a child wants into what its parent has and what is
// beyond. A child may be given kept, or less.
func Attenuate(parent, want []Capability) (kept, beyond []Capability) {
	for _, w := range want {
		if Covered(w, parent) {
			kept = append(kept, w)
		} else {
			beyond = append(beyond, w)
		}
	}
	return kept, beyond
}

// included reports whether every path that p matches is matched by q or, with
// beneath, lies below such a match. It looks for a simulation: step by step q
// must have an answer to each move of p. That is sound, reflexive and
// transitive, and takes time in proportion to the product of the lengths, where
// the exact answer can take exponential time.
func included(p, q []segment, beneath bool) bool {
	return simulation[segment]{
		p: p, q: q, beneath: beneath,
		loop:   func(s segment) bool { return s.deep },
		every:  segment.any,
		within: segmentWithin,
	}.run()
}

func segmentWithin(a, b segment) bool {
	switch {
	case a.literal():
		return b.match(a.lit)
	case b.literal():
		return false // a matches more than one name
	}
	return simulation[elem]{
		p: a.elems, q: b.elems,
		loop:   func(e elem) bool { return e.star },
		every:  elem.wild,
		within: func(a, b elem) bool { return b.set.covers(a.set) },
	}.run()
}

// simulation compares two sequences of steps, of which some may be repeated any
// number of times.
type simulation[T any] struct {
	p, q    []T
	beneath bool              // q may end before p
	loop    func(T) bool      // takes any number of anything
	every   func(T) bool      // takes one of anything
	within  func(a, b T) bool // what a takes, b takes
	known   [][]answer
}

type answer uint8

const (
	unknown answer = iota
	yes
	no
)

func (s simulation[T]) run() bool {
	s.known = make([][]answer, len(s.p)+1)
	return s.from(0, 0)
}

// from reports whether q from step j answers p from step i.
func (s simulation[T]) from(i, j int) bool {
	if s.known[i] == nil {
		s.known[i] = make([]answer, len(s.q)+1)
	}
	if s.known[i][j] == unknown {
		s.known[i][j] = no
		if s.answer(i, j) {
			s.known[i][j] = yes
		}
	}
	return s.known[i][j] == yes
}

func (s simulation[T]) answer(i, j int) bool {
	pEnds, qEnds := i == len(s.p), j == len(s.q)
	switch {
	case qEnds:
		return s.beneath || pEnds
	case s.loop(s.q[j]) && s.from(i, j+1): // q takes nothing
		return true
	case pEnds:
		return false
	case s.loop(s.p[i]) && !s.from(i+1, j): // p takes nothing
		return false
	case s.loop(s.p[i]) && s.loop(s.q[j]): // each takes one and is where it was
		return true
	case s.loop(s.p[i]):
		return s.every(s.q[j]) && s.from(i, j+1)
	case s.loop(s.q[j]):
		return s.from(i+1, j)
	default:
		return s.within(s.p[i], s.q[j]) && s.from(i+1, j+1)
	}
}
