package learn

import (
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// few is how many things of one directory are written down by name. More are
// folded into it, or into a glob, where all that lies there is harmless.
const few = 3

// A Want is one line of the manifest that would have sufficed.
type Want struct {
	Capability capability.Capability
	// As is how the manifest has to spell it, where the program came by links:
	// what a pack is shown has the links of its own spelling. Empty: as it is.
	As    []capability.Capability
	Dir   bool
	By    []Use
	Names []string // what was made, changed or removed in a directory
}

// A Use tells what used something.
type Use struct {
	Program string
	Count   int
}

// Collapse returns the fewest and narrowest capabilities that cover what was
// touched, in order, spelled by the links that were followed. What a pack sees
// anyway and what is gone is left out.
func Collapse(touches []Touch, links []Link, b Base, h Host) []Want {
	f := folding{look: newLook(b, h), base: b, reads: items{}, writes: items{}}
	for _, t := range touches {
		f.add(t)
	}
	f.foldWrites()
	f.foldReads()
	f.dropStarted()
	return f.named(f.wants(), links)
}

// folding is what was touched, on its way to be folded.
type folding struct {
	look   *look
	base   Base
	reads  items // by path
	writes items
	others items // by capability
}

// used is what t says of who used it, and for what.
func used(t Touch) item {
	i := item{uses: map[string]int{t.Program: max(t.Count, 1)}}
	if t.Name != "" {
		i.names = map[string]bool{t.Name: true}
	}
	return i
}

// add sorts a touch by how it is folded.
func (f *folding) add(t Touch) {
	c, p := t.Capability, t.path()
	switch k := c.Kind(); {
	case c.IsZero():
	case t.Named:
		f.others.add(c.String(), c, t.Dir, used(t))
	case p != "" && f.look.secret(p) || t.Gone && t.Name == "":
	case k != capability.FSRead && k != capability.FSWrite:
		f.others.add(c.String(), c, false, used(t))
	case p == "":
		f.others.add(c.String(), c, false, used(t)) // a glob is folded already
	case k == capability.FSRead && f.base.shown(p):
	case k == capability.FSRead:
		f.addRead(t, p)
	default:
		f.addWrite(t, p)
	}
}

// dropStarted drops the reading of programs that may be started: they are shown.
func (f *folding) dropStarted() {
	for p := range f.reads {
		if _, ok := f.others[one(capability.ProcessSpawn, p).String()]; ok && slices.ContainsFunc(f.base.Hidden, func(dir string) bool { return within(p, dir) }) {
			delete(f.reads, p)
		}
	}
}

// addRead adds a file or a directory. A directory that holds what is not
// harmless stands for its parts, and outside a project for nothing.
func (f *folding) addRead(t Touch, p string) {
	if !t.Dir || f.look.harmless(p) {
		f.reads.add(p, t.Capability, t.Dir, used(t))
		return
	}
	if _, ok := f.base.root(p); !ok {
		return
	}
	for _, part := range f.look.parts(p) {
		f.reads.add(part.path, one(capability.FSRead, part.path), part.dir, used(t))
	}
}

// addWrite adds a file that was changed, or a directory in which names were.
// Where that directory holds secrets it is only the names that were made.
func (f *folding) addWrite(t Touch, p string) {
	switch {
	case !t.Dir && t.Name == "":
		f.writes.add(p, t.Capability, false, used(t))
	case f.look.harmless(p):
		f.writes.add(p, t.Capability, true, used(t))
	case t.Name != "":
		f.addMade(path.Join(p, t.Name), used(Touch{Program: t.Program, Count: t.Count}))
	}
}

// addMade adds what was made in a directory that holds secrets, as far as it is
// still there.
func (f *folding) addMade(p string, by item) {
	e, ok := f.look.entry(p)
	switch {
	case !ok || f.look.secret(p):
	case !e.Dir || f.look.harmless(p):
		f.writes.add(p, one(capability.FSWrite, p), e.Dir, by)
	default:
		for _, part := range f.look.parts(p) {
			f.writes.add(part.path, one(capability.FSWrite, part.path), part.dir, by)
		}
	}
}

// one is ForPath of a path that was touched: it is one that the kernel has.
func one(k capability.Kind, p string) capability.Capability {
	c, _ := capability.ForPath(k, p) // zero for the root of all, which nothing covers
	return c
}

// wants are all lines, without those that another one covers.
func (f *folding) wants() (wants []Want) {
	for _, set := range []items{f.writes, f.reads, f.others} {
		for _, i := range set {
			if !i.capability.IsZero() {
				wants = append(wants, i.want())
			}
		}
	}
	slices.SortFunc(wants, func(a, b Want) int { return strings.Compare(a.Capability.String(), b.Capability.String()) })
	return widest(wants)
}

// widest leaves out lines that another one covers, which takes over who used
// them in the same way.
func widest(wants []Want) (kept []Want) {
	covering := func(i int) int { // of two that cover each other the first stays
		w := wants[i].Capability
		for j, o := range wants {
			if i != j && o.Capability.Covers(w) && (j < i || !w.Covers(o.Capability)) {
				return j
			}
		}
		return -1
	}
	by := make([]item, len(wants))
	for i, w := range wants {
		to := i
		for c := covering(to); c >= 0; c = covering(to) {
			to = c
		}
		if by[to].uses == nil {
			by[to].uses = map[string]int{}
		}
		if wants[to].Capability.Kind() != w.Capability.Kind() {
			continue // who read what is changed did not change it
		}
		for _, u := range w.By {
			by[to].uses[u.Program] += u.Count
		}
	}
	for i, w := range wants {
		if covering(i) < 0 {
			w.By = by[i].sortedUses()
			kept = append(kept, w)
		}
	}
	return kept
}
