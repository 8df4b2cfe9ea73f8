package enforce

import (
	"cmp"
	"path"
	"slices"
)

// pin mounts each directory between a denied path and the writable grant that
// it lies in onto itself. A mount point cannot be renamed; without that, the
// directory above a denied path could be moved away, mask and all, and another
// be put in its place.
func (l *layout) pin(denied string) {
	var between []string
	up := parents(denied)
	slices.Reverse(up)
	for _, d := range up {
		e, ok := l.mounts[d]
		if !ok || l.covered(e) { // covered: it will not be mounted
			between = append(between, d)
			continue
		}
		if e.Op != OpBind || !e.Write {
			return
		}
		for _, p := range between {
			pinned := e
			pinned.Path, pinned.Source = p, path.Join(e.Source, p[len(e.Path):])
			pinned.Dir, pinned.Pin, pinned.Dev, pinned.Ino = true, true, 0, 0
			l.mounts[p] = pinned
		}
		return
	}
}

// hidePrograms masks the programs among libraries, where only some may be
// started: a loader that one of those needs could be asked to start any file that
// the system's mounts let be executed. What the plan names stays, with what lies
// around it.
func (l *layout) hidePrograms(dirs []ProgramDir, set *effective) {
	var named []Object
	named = append(named, set.executables()...)
	for _, g := range set.grants {
		named = append(named, Object{Path: g.Path, Dir: g.Dir})
	}
	for _, d := range dirs {
		keeps := slices.ContainsFunc(named, func(o Object) bool { return within(o.Path, d.Path) })
		covered := slices.ContainsFunc(named, func(o Object) bool { return o.Dir && within(d.Path, o.Path) })
		switch {
		case covered:
		case d.Whole && !keeps:
			l.masks = append(l.masks, Entry{Op: OpMask, Path: d.Path, Dir: true})
		default:
			for _, f := range d.Files {
				if !slices.ContainsFunc(named, func(o Object) bool { return within(f, o.Path) }) {
					l.masks = append(l.masks, Entry{Op: OpMask, Path: f})
				}
			}
		}
	}
}

// outermost orders masks, and leaves out those that another does for. On one
// path the one that hides goes before one that only keeps from changing, or the
// second would show again what the first hides.
func outermost(masks []Entry) (out []Entry) {
	slices.SortStableFunc(masks, func(a, b Entry) int {
		return cmp.Or(byPath(a.Path, b.Path), cmp.Compare(hides(b), hides(a)))
	})
	hidden := Entry{} // what lies beneath it comes right after it
	for _, m := range masks {
		if len(out) > 0 && out[len(out)-1].Path == m.Path || hidden.Op == OpMask && within(m.Path, hidden.Path) {
			continue
		}
		if m.Op == OpMask {
			hidden = m
		}
		out = append(out, m)
	}
	return out
}

func hides(m Entry) int {
	if m.Op == OpMask {
		return 1
	}
	return 0
}
