//go:build linux

package process

import (
	"maps"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// A stand is a whole view that was made before the plan is known: everything that
// most plans have is in its place, and the host's tree is left. What a plan has
// beyond that is fetched from a copy of the host's mounts, by a way that the row
// keeps until it executes init.
//
// Security: the view is used where the plan has all that is in it, as it is in it,
// and where nothing that is added would have to lie beneath. Otherwise it is left,
// and the view is made anew in that copy. The program finds neither the way nor the
// copy: descriptors are closed when init is executed.
type stand struct {
	host, view namespace.Slot // mount namespaces: the copy, and that of the view
}

// Stand is Ahead for a sandbox that waits for its plan: it makes the whole view.
// There is nothing yet to be asked about, and no link.
func (t Tier) Stand(view []enforce.Entry) {
	if t.prepare(view, nil, true); t.begun == nil || t.begun.b.ahead == nil || t.begun.b.ahead.stand == nil {
		return
	}
	t.begun.stood = make(chan struct{})
	go t.begun.takeCopy()
}

// leaveCopy has the process go on in a mount namespace of its own, and keep one that
// still has the host's mounts.
func (b *builder) leaveCopy() *stand {
	const what = "keep a copy of the host's mounts"
	l := b.list
	own := func(to namespace.Slot) {
		l.Call(what, unix.SYS_OPENAT, num(b.proc), l.Str("self/ns/mnt"), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(to)
	}
	s := &stand{host: l.NewSlot(), view: l.NewSlot()}
	own(s.host)
	l.Call(what, unix.SYS_UNSHARE, num(unix.CLONE_NEWNS))
	own(s.view)
	return s
}

// standIn puts what was made into its place and leaves the host's tree. The launcher
// is given the copy of the host's mounts, too: whoever closes it last waits for the
// kernel to take it apart, and that is not to be the process that becomes init.
func (a *ahead) standIn(b *builder, mounted []enforce.Entry) {
	b.placeRoot()
	for i := range mounted {
		if m, ok := a.mounts[mounted[i].Path]; ok && m.entry == &mounted[i] {
			b.place(mounted[i], m.slot)
		}
	}
	b.enterView()
	b.list.Send("hand over the copy of the host's mounts", b.child, a.stand.host)
}

// whole reports whether the view of a plan is what stands, with more in it, and
// answers what more.
func (a *ahead) whole(p enforce.Plan) (left []enforce.Entry, ok bool) {
	if a == nil || a.stand == nil || p.Trapped() {
		return nil, false
	}
	names, mounted := p.Skeleton()
	inMounts := map[string]*enforce.Entry{}
	for _, m := range a.mounts {
		maps.Copy(inMounts, m.names)
	}
	found, used := 0, make(map[string]bool, len(a.mounts))
	for _, e := range names {
		if made, ok := a.names[e.Path]; ok && made.Equal(e) {
			found++
			continue
		}
		left = append(left, e)
	}
	for _, e := range mounted {
		made, in := inMounts[e.Path]
		m, on := a.mounts[e.Path]
		switch {
		case e.IsName() && in && made.Equal(e):
			found++
		case !e.IsName() && on && !used[e.Path] && m.entry.Equal(e):
			used[e.Path] = true
		case !e.IsName() && a.covers(e.Path, inMounts):
			return nil, false
		default:
			left = append(left, e)
		}
	}
	return left, found == len(a.names)+len(inMounts) && len(used) == len(a.mounts)
}

// covers reports whether a mount at p would lie on something that was mounted, or on
// names in it.
func (a *ahead) covers(p string, names map[string]*enforce.Entry) bool {
	for q := range a.mounts {
		if inside(q, p) {
			return true
		}
	}
	for q := range names {
		if q != p && inside(q, p) {
			return true
		}
	}
	return false
}

// fetch has the row go on in the copy of the host's mounts.
func (b *builder) fetch() {
	if b.ahead == nil || b.ahead.stand == nil {
		return
	}
	b.enterMounts("go back to the host's mounts", b.ahead.stand.host)
}

func (b *builder) enterMounts(what string, ns namespace.Slot) {
	own := b.list.Take(b.ahead.list, ns)
	b.list.Call(what, unix.SYS_SETNS, namespace.Result(own), num(unix.CLONE_NEWNS))
}

// addToView puts into the view that stands what the plan has more, and closes it.
func (b *builder) addToView(left []enforce.Entry) error {
	a := b.ahead
	b.root = b.list.Take(a.list, a.top)
	mounts := make([]namespace.Slot, len(left))
	for i := range row.Order(left) {
		fd, err := b.detached(left[i])
		if err != nil {
			return err
		}
		mounts[i] = fd
	}
	b.enterMounts("enter the view", a.stand.view)
	made := make(map[string]namespace.Slot, len(a.mounts))
	for at, m := range a.mounts {
		made[at] = b.list.Take(a.list, m.slot)
	}
	for i, e := range left {
		b.place(e, mounts[i])
		if !e.IsName() {
			made[e.Path] = mounts[i]
		}
	}
	for _, e := range b.plan.View {
		b.closeMount(e, made[e.Path])
	}
	row.ReadOnly(b.list, "close the view's root", b.root)
	b.list.Call("enter the view", unix.SYS_CHDIR, b.list.Str("/"))
	return nil
}

// takeCopy takes the copy of the host's mounts off the line, which comes when the view
// stands.
func (bg *begun) takeCopy() {
	defer close(bg.stood)
	if fd, err := bg.s.line.descriptor(); err == nil {
		bg.s.copied.Store(int64(fd))
	}
}

// stands waits until the view that was to stand does. What failed in making it, or
// has ended since, is no reason not to make another one.
func (bg *begun) stands() bool {
	if bg.stood == nil {
		return true // nothing was to stand
	}
	select {
	case <-bg.stood:
	case <-bg.s.ended:
		return false
	}
	select {
	case <-bg.s.ended:
		return false
	default:
		return bg.s.copied.Load() != 0
	}
}

// letCopyGo lets the kernel take the copy apart, when init has no way to it any more.
func (s *session) letCopyGo() {
	if fd := s.copied.Swap(0); fd > 0 {
		_ = unix.Close(int(fd)) // nothing was written
	}
}
