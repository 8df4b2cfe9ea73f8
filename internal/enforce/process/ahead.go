//go:build linux

package process

import (
	"path"
	"strings"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// ahead is what the waiting process makes before the plan is known: the view's
// root with the names that lie on it, mounts that are attached to nothing with the
// names that lie in them, and the link.
//
// Security: what is made is used where the plan says exactly the same, and
// otherwise made anew. What nobody uses goes with the descriptors that the row
// closes in the end. No object of the host is looked at by another rule than later.
type ahead struct {
	list   *namespace.List
	mask   namespace.Slot
	top    namespace.Slot            // the root; noSlot where the view has another kind
	trap   namespace.Slot            // the root of a view that asks, whose device was sent; else noSlot
	link   *enforce.LinkPlan         // whose ends were sent; nil: none
	names  map[string]*enforce.Entry // on the root, by path
	mounts map[string]mountAhead     // by path
	placed map[string]bool           // names that lie in mounts which were used
	stand  *stand                    // nil: nothing is in its place yet
}

type mountAhead struct {
	entry *enforce.Entry
	slot  namespace.Slot
	names map[string]*enforce.Entry // that lie in it, by path
}

// maxAhead bounds the descriptors that the process holds meanwhile.
const maxAhead = 100

// Ahead has the process that Begin made go on with what the plan will probably
// have, while it is decided what it has: view is in the order of a plan, and link is
// nil where there will be none. It may be called once, before Start.
func (t Tier) Ahead(view []enforce.Entry, link *enforce.LinkPlan) { t.prepare(view, link, false) }

func (t Tier) prepare(view []enforce.Entry, link *enforce.LinkPlan, whole bool) {
	if t.begun == nil || t.begun.b.ahead != nil || t.begun.used.Load() {
		return
	}
	b := t.begun.b
	a := newAhead(b, view, link, whole)
	if a == nil {
		return
	}
	b.list.Then(a.list)
	b.ahead = a
	_ = t.begun.s.line.send(1) // a process that is gone says why to Start
}

// newAhead lays out the row; nil if there is nothing to be gained, or if it
// cannot be laid out: then the plan says why.
func newAhead(of *builder, view []enforce.Entry, link *enforce.LinkPlan, whole bool) *ahead {
	p := enforce.Plan{View: view}
	names, mounted := p.Skeleton()
	if len(mounted) == 0 || len(mounted) > maxAhead {
		return nil
	}
	b := &builder{plan: of.plan, list: &namespace.List{}, child: of.child, proc: of.proc}
	b.list.Grow(5 * len(view))
	a := &ahead{list: b.list, mask: b.setMask(), top: noSlot, trap: noSlot, names: make(map[string]*enforce.Entry, len(names)),
		mounts: make(map[string]mountAhead, len(mounted)), placed: make(map[string]bool, len(mounted))}
	if whole = whole && !p.Trapped(); whole {
		a.stand = b.leaveCopy()
	}
	if p.Trapped() {
		a.trap = b.trapMount()
	} else {
		b.root = b.newRoot()
		a.top = b.root
		for i := range names {
			b.place(names[i], noSlot)
			a.names[names[i].Path] = &names[i]
		}
	}
	if row.MakeLink(b.list, link, b.proc, b.child) != nil {
		return nil
	}
	a.link = link
	for i := range mounted {
		if mounted[i].Op == enforce.OpAppend || mounted[i].Op == enforce.OpBounded || mounted[i].Op == enforce.OpStored {
			return nil // what serves it is handed over in the order of the plan
		}
		fd, err := b.detached(mounted[i])
		if err != nil {
			return nil
		}
		if fd == noSlot {
			a.put(b, &mounted[i])
			continue
		}
		a.mounts[mounted[i].Path] = mountAhead{&mounted[i], fd, map[string]*enforce.Entry{}}
	}
	if whole {
		a.standIn(b, mounted)
	}
	b.await("wait for the rest of the plan")
	return a
}

// put makes a name in the mount that it lies in, if that is one of the view's own.
func (a *ahead) put(b *builder, e *enforce.Entry) {
	for dir := path.Dir(e.Path); dir != "/"; dir = path.Dir(dir) {
		m, ok := a.mounts[dir]
		if !ok {
			continue
		}
		if m.entry.Op == enforce.OpTmpfs {
			b.placeIn(m.slot, strings.TrimPrefix(e.Path, dir+"/"), *e, noSlot)
			m.names[e.Path] = e
		}
		return
	}
}

// fits reports whether a plan can go on from what was sent already: the trap first,
// and then the link.
func (a *ahead) fits(p enforce.Plan) bool {
	switch {
	case a == nil:
		return true
	case a.trap != noSlot && !p.Trapped(), a.link != nil && p.Trapped() && a.trap == noSlot:
		return false
	}
	return a.link == nil || p.Link != nil && *p.Link == *a.link // and not a late one
}

// root is the root that was made, and what of p is left to be put into it. It is
// not used where it has a name that p has not, or not directly on its root.
func (a *ahead) root(l *namespace.List, p enforce.Plan) (root namespace.Slot, left []enforce.Entry, ok bool) {
	if a == nil || a.top == noSlot {
		return noSlot, nil, false
	}
	names, mounted := p.Skeleton()
	found := 0
	left = make([]enforce.Entry, 0, len(names)+len(mounted))
	for _, e := range names {
		if made, ok := a.names[e.Path]; ok && made.Equal(e) {
			found++
			continue
		}
		left = append(left, e)
	}
	if found != len(a.names) {
		return noSlot, nil, false
	}
	return l.Take(a.list, a.top), append(left, mounted...), true
}

// trapped is the trap that was made. There is one, if its device was sent.
func (a *ahead) trapped(l *namespace.List) (namespace.Slot, bool) {
	if a == nil || a.trap == noSlot {
		return noSlot, false
	}
	return l.Take(a.list, a.trap), true
}

// mount is the mount that was made for e. There is one, which is attached once.
// within are the names that the plan has directly in it. It is not used where it
// has a name that is not among them.
func (a *ahead) mount(l *namespace.List, e enforce.Entry, within []enforce.Entry) (namespace.Slot, bool) {
	if a == nil {
		return noSlot, false
	}
	m, ok := a.mounts[e.Path]
	if !ok || !m.entry.Equal(e) {
		return noSlot, false
	}
	found := 0
	for _, e := range within {
		if made, ok := m.names[e.Path]; ok && made.Equal(e) {
			found++
		}
	}
	if found != len(m.names) {
		return noSlot, false
	}
	for name := range m.names {
		a.placed[name] = true
	}
	delete(a.mounts, e.Path)
	return l.Take(a.list, m.slot), true
}

// has reports whether e is a name that was made, in a mount that is used.
func (a *ahead) has(e enforce.Entry) bool {
	return a != nil && e.IsName() && a.placed[e.Path]
}

// namesWithin are the names that lie directly in each mount of entries, by its path.
// Where one lies on another at the same path nothing is said about either.
func namesWithin(entries []enforce.Entry) map[string][]enforce.Entry {
	const none, once, twice = 0, 1, 2
	times := make(map[string]int, len(entries))
	for i := range entries {
		if !entries[i].IsName() {
			times[entries[i].Path] = min(times[entries[i].Path]+1, twice)
		}
	}
	within := make(map[string][]enforce.Entry, 4)
	for i := range entries {
		e := entries[i]
		if !e.IsName() {
			continue
		}
		dir := path.Dir(e.Path)
		for dir != "/" && times[dir] == none {
			dir = path.Dir(dir)
		}
		if times[dir] == once {
			within[dir] = append(within[dir], e)
		}
	}
	return within
}
