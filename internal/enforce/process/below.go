//go:build linux

package process

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// A process may be in a directory of the trap itself, one that leads to a grant
// or that it was started in. When that is covered by a grant later, its relative
// paths still begin beneath the cover. So such directories are kept open before
// they are covered, and what is touched beneath the cover is shown there too.

// keepBelow has a row keep the trap's directory at e's path open if anybody can
// be in it. It stands first in the row: the number must not be taken.
func (a *attacher) keepBelow(b *builder, e enforce.Entry) {
	on, mounted := a.at(e.Path)
	covered := mounted && on.Op != enforce.OpTrap
	if !a.plan.Asks() || !e.Dir || covered || slices.Contains(a.below, e.Path) || len(a.below) >= mostBelow || !a.transit(e.Path) {
		return
	}
	l := b.list
	fd := l.NewSlot()
	what := "keep " + e.Path
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	a.inside(b)
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(e.Path), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(fd)
	l.Call(what, unix.SYS_DUP3, namespace.Result(fd), num(firstBelow+len(a.below)), num(unix.O_CLOEXEC))
	a.outside(b)
	a.below = append(a.below, e.Path)
	a.table.Lock()
	defer a.table.Unlock()
	a.covers[e.Path] = true
}

// covering is the mount that covers p, if p is a directory that is kept open.
func (a *attacher) covering(p string) (enforce.Entry, bool) {
	a.table.RLock()
	defer a.table.RUnlock()
	if !a.covers[p] {
		return enforce.Entry{}, false
	}
	e, ok := a.shown[p]
	return e, ok && e.Ino != 0
}

// transit reports whether p is a directory of the view's own.
func (a *attacher) transit(p string) bool {
	if p == "/" || slices.ContainsFunc(a.names, func(e enforce.Entry) bool { return e.Op == enforce.OpDir && e.Path == p }) {
		return true
	}
	a.table.RLock()
	defer a.table.RUnlock()
	for q := range a.shown {
		if q != p && inside(q, p) {
			return true
		}
	}
	return false
}

// attachBelow shows what a cover has at p beneath the cover too, for whoever is
// there. It does nothing where nobody can be.
//
// Security: it is the cover's own mount that is copied, with its rights and its
// masks.
//
// Without a trap the directory has not the cover's name: here is what that is.
func (a *attacher) attachBelow(p string, here spot) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	on, ok := a.at(p)
	i := slices.Index(a.below, on.Path)
	if !ok || i < 0 || p == on.Path {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(p, on.Path+"/"), "/")
	name := path.Join(on.Path, first)
	if slices.Contains(a.shows[on.Path], first) {
		return nil
	}
	if here.link != "" {
		return a.makeLink(enforce.Link{Path: name, Target: here.link})
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(b)
	a.inside(b)
	tree := row.CopyTree(b.list, name)
	var made []string
	if missing, err := a.skeleton.missing(name); err != nil {
		return err
	} else if len(missing) == 0 {
		row.Move(b.list, "show "+name+" beneath", tree, num(firstBelow+i), first)
	} else if made, err = a.showNew(b, tree, name, here.st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return err
	}
	a.home(b)
	if err := a.do(b.list); err != nil {
		return errors.Join(err, a.undo(made))
	}
	a.skeleton.add(made, here.st.Mode)
	if a.shows == nil {
		a.shows = map[string][]string{}
	}
	a.shows[on.Path] = append(a.shows[on.Path], first)
	return nil
}

// detachBelow takes away what was shown beneath the cover at p. It walks through
// the trap's folders and enters none: to enter is a touch, which would wait for
// this.
func (a *attacher) detachBelow(b *builder, p string, fds namespace.Slot) {
	l := b.list
	l.Call("go to the descriptors", unix.SYS_FCHDIR, namespace.Result(fds))
	for i, dir := range a.below {
		if !inside(dir, p) {
			continue
		}
		for _, name := range a.shows[dir] {
			b.unmount(path.Join(itoa(firstBelow+i), name))
		}
		delete(a.shows, dir)
	}
	l.Call("leave the folder", unix.SYS_CHDIR, l.Str("/"))
}

// dropBelow takes away what was shown beneath the cover at dir by a name.
func (a *attacher) dropBelow(dir, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.below, dir)
	if i < 0 || !slices.Contains(a.shows[dir], name) {
		return nil
	}
	a.shows[dir] = slices.DeleteFunc(a.shows[dir], func(n string) bool { return n == name })
	if a.skeleton.names != nil {
		_, err := a.remove(path.Join(dir, name))
		return err
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(b)
	fds := row.Descriptors(b.list)
	a.inside(b)
	b.list.Call("go to the descriptors", unix.SYS_FCHDIR, namespace.Result(fds))
	b.unmount(path.Join(itoa(firstBelow+i), name)).May() // it may have gone with its name
	b.list.Call("leave the folder", unix.SYS_CHDIR, b.list.Str("/"))
	a.home(b)
	return a.do(b.list)
}
