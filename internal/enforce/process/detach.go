//go:build linux

package process

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// detach takes the mounts at paths out of the running view, with all that is
// mounted in them. What was opened beneath them stays open.
//
// Security: who works in it, or has a directory of it open, opens nothing there
// any more: the walk up from a file ends at the mount, and Landlock finds no rule.
// Landlock does not look at changes of modes, owners and times, so the mount is
// made read-only first. That fails while something is open there for writing.
// What is gone is read back from the kernel. A mount may be gone before: it goes
// with its name, when that becomes something else on the host.
func (a *attacher) detach(paths ...string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		on, ok := a.at(p)
		return !ok || on.Path != p // a wider grant has covered it meanwhile
	})
	if len(paths) == 0 {
		return nil
	}
	if err := a.start(); err != nil {
		return err
	}
	// Forgotten first: who comes by meanwhile waits for what it becomes.
	was := map[string]enforce.Entry{}
	var gone []string
	for _, p := range paths {
		maps.Copy(was, a.forget(p))
		gone = append(gone, a.coveredBy(p)...)
	}
	gone = slices.AppendSeq(gone, maps.Keys(was))
	before, err := a.mounted(paths)
	if err == nil {
		err = a.takeAway(paths)
	}
	if after, e := a.mounted(paths); err == nil {
		err = errors.Join(e, stillThere(paths, before, after))
	}
	if err != nil {
		a.table.Lock()
		defer a.table.Unlock()
		maps.Copy(a.shown, was)
		return err
	}
	var useless []string
	for _, p := range paths {
		a.unmask(p)
		useless = append(useless, a.skeleton.unmounted(p, a.leads)...)
	}
	a.renounce(gone)
	slices.Sort(useless)
	return a.clear(slices.Compact(useless))
}

// mounted counts the mounts at each path, those that are covered too.
func (a *attacher) mounted(paths []string) (at map[string]int, err error) {
	text, err := read("/proc/" + itoa(int(a.init.Load())) + "/mountinfo")
	if err != nil {
		return nil, err
	}
	at = make(map[string]int, len(paths))
	for _, p := range paths {
		at[p] = 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(line, " ", 6); len(f) > 4 {
			if n, ok := at[enforce.Unescape(f[4])]; ok {
				at[enforce.Unescape(f[4])] = n + 1
			}
		}
	}
	return at, nil
}

// stillThere is an error for the first path that has lost no mount and has one.
func stillThere(paths []string, before, after map[string]int) error {
	for _, p := range paths {
		if after[p] > 0 && after[p] >= before[p] {
			return fmt.Errorf("take away %s: it is still there", p)
		}
	}
	return nil
}

// takeAway has the worker unmount what was forgotten.
func (a *attacher) takeAway(paths []string) error {
	gone := make([]bool, len(paths))
	for i, p := range paths {
		var err error
		if gone[i], err = a.remove(p); err != nil {
			return err
		}
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(b)
	fds := row.Descriptors(b.list)
	a.inside(b)
	for i, p := range paths {
		if !gone[i] {
			b.closeChanges(p)
			b.unmount(p).May()
		}
		a.unbury(b, p)
		a.detachBelow(b, p, fds)
	}
	a.home(b)
	return a.do(b.list)
}

// forget removes what is mounted at p and beneath from the table.
func (a *attacher) forget(p string) map[string]enforce.Entry {
	a.table.Lock()
	defer a.table.Unlock()
	was := map[string]enforce.Entry{}
	for q, e := range a.shown {
		if inside(q, p) {
			was[q] = e
			delete(a.shown, q)
		}
	}
	return was
}

// unmask notes what is seen again where p was, and that what lay beneath p is gone
// with it.
func (a *attacher) unmask(p string) {
	a.table.Lock()
	defer a.table.Unlock()
	for q, m := range a.masks {
		switch {
		case q == p:
			a.shown[p] = m
		case !inside(q, p):
			continue
		}
		delete(a.masks, q)
	}
}

// leads reports whether something is mounted beneath p.
func (a *attacher) leads(p string) bool {
	a.table.RLock()
	defer a.table.RUnlock()
	for q := range a.shown {
		if inside(q, p) {
			return true
		}
	}
	return false
}

// A buried is a mount that lies beneath a later one, its cover.
type buried struct{ path, cover string }

// bury notes what is covered by e now, to be taken away with it. It stays where it
// is until then: taken away first, it would be gone for a moment.
//
// Security: left beneath the cover it would be there again when e is taken away,
// though nothing knows of it any more. Masks and pins belong to the mount that
// they lie in, and go or stay with that.
func (a *attacher) bury(e enforce.Entry) {
	a.table.RLock()
	defer a.table.RUnlock()
	for q, on := range a.shown {
		if b := (buried{q, e.Path}); inside(q, e.Path) && on.Op == enforce.OpBind && !on.Pin && !slices.Contains(a.buried, b) {
			a.buried = append(a.buried, b)
		}
	}
}

// coveredBy are the paths of what lies beneath the covers at p and in it.
func (a *attacher) coveredBy(p string) (paths []string) {
	for _, q := range a.buried {
		if inside(q.cover, p) {
			paths = append(paths, q.path)
		}
	}
	return paths
}

// unbury takes away what the covers at p and beneath leave there, those above
// first: one that lies in another is gone with it.
func (a *attacher) unbury(b *builder, p string) {
	slices.SortFunc(a.buried, func(a, b buried) int { return strings.Compare(a.path, b.path) })
	for _, q := range a.buried {
		if inside(q.cover, p) {
			b.unmount(q.path).May()
		}
	}
	a.buried = slices.DeleteFunc(a.buried, func(q buried) bool { return inside(q.cover, p) })
}

func (b *builder) unmount(p string) namespace.Step {
	return b.list.Call("take away "+p, unix.SYS_UMOUNT2, b.list.Str(p), num(unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
}

// closeChanges lets nothing more be changed by the mount at p and those in it, if
// nobody has a file open for writing there.
func (b *builder) closeChanges(p string) {
	l := b.list
	point := l.NewSlot()
	what := "close " + p
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(p), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(point).May()
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(point), l.Str(""), num(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE),
		namespace.Pointer(l, attr), num(row.AttrSize)).May()
}
