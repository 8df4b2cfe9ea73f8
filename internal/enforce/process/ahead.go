//go:build linux

package process

import (
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
)

// ahead is what the waiting process makes before the plan is known: the view's
// root with the names that lie on it, and mounts that are attached to nothing.
//
// Security: what is made is used where the plan says exactly the same, and
// otherwise made anew. What nobody uses goes with the descriptors that the row
// closes in the end. No object of the host is looked at by another rule than later.
type ahead struct {
	list   *namespace.List
	mask   namespace.Slot
	top    namespace.Slot            // the root; noSlot where the view has another kind
	names  map[string]*enforce.Entry // on the root, by path
	mounts map[string]mountAhead     // by path
}

type mountAhead struct {
	entry *enforce.Entry
	slot  namespace.Slot
}

// maxAhead bounds the descriptors that the process holds meanwhile.
const maxAhead = 100

// Ahead has the process that Begin made go on with what the plan will probably
// have, while it is decided what it has: view is in the order of a plan. It may be
// called once, before Start.
func (t Tier) Ahead(view []enforce.Entry) {
	if t.begun == nil || t.begun.b.ahead != nil || t.begun.used.Load() {
		return
	}
	b := t.begun.b
	a := newAhead(b, view)
	if a == nil {
		return
	}
	b.list.Then(a.list)
	b.ahead = a
	_ = t.begun.s.line.send(1) // a process that is gone says why to Start
}

// newAhead lays out the row; nil if there is nothing to be gained, or if it
// cannot be laid out: then the plan says why.
func newAhead(of *builder, view []enforce.Entry) *ahead {
	p := enforce.Plan{View: view}
	names, mounted := p.Skeleton()
	if len(mounted) == 0 || len(mounted) > maxAhead {
		return nil
	}
	b := &builder{plan: of.plan, list: &namespace.List{}, child: of.child}
	b.list.Grow(5 * len(view))
	a := &ahead{list: b.list, mask: b.setMask(), top: noSlot, names: make(map[string]*enforce.Entry, len(names)), mounts: make(map[string]mountAhead, len(mounted))}
	if !p.Trapped() {
		b.root = b.newRoot()
		a.top = b.root
		for i := range names {
			b.place(names[i], noSlot)
			a.names[names[i].Path] = &names[i]
		}
	}
	for i := range mounted {
		fd, err := b.detached(mounted[i])
		if err != nil {
			return nil
		}
		if fd != noSlot { // a name within a mount is none
			a.mounts[mounted[i].Path] = mountAhead{&mounted[i], fd}
		}
	}
	b.await("wait for the rest of the plan")
	return a
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

// mount is the mount that was made for e. There is one, which is attached once.
func (a *ahead) mount(l *namespace.List, e enforce.Entry) (namespace.Slot, bool) {
	if a == nil {
		return noSlot, false
	}
	m, ok := a.mounts[e.Path]
	if !ok || !m.entry.Equal(e) {
		return noSlot, false
	}
	delete(a.mounts, e.Path)
	return l.Take(a.list, m.slot), true
}
