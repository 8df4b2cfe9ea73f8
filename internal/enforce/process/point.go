//go:build linux

package process

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// openSkeleton has the worker keep a way to write to the view's root: a mount of
// its own, of the root alone, that lies in no mount namespace.
//
// Security: the root that the program has stays read-only.
func (b *builder) openSkeleton() {
	const what = "open the skeleton"
	l := b.list
	fd := l.NewSlot()
	l.Call(what, unix.SYS_SETNS, num(sandboxMounts), num(unix.CLONE_NEWNS))
	l.Call(what, unix.SYS_OPEN_TREE, namespace.CWD, l.Str("/"), namespace.N(uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))).Keep(fd)
	l.Call(what, unix.SYS_SETNS, num(hostMounts), num(unix.CLONE_NEWNS))
	attr := &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(fd), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(row.AttrSize))
	l.Call(what, unix.SYS_DUP3, namespace.Result(fd), num(skeletonRoot), num(unix.O_CLOEXEC))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
}

// inSkeleton opens the directory of p in the skeleton and adds a call for the
// name in it.
//
// Security: the directory is walked to without links and without leaving the
// skeleton, so a name can be made or removed nowhere else.
func (b *builder) inSkeleton(what, p string, call func(dir, name namespace.Arg)) {
	l := b.list
	dir := l.NewSlot()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV}
	rel := strings.TrimPrefix(path.Dir(p), "/")
	l.Call(what, unix.SYS_OPENAT2, num(skeletonRoot), l.Str(cmp.Or(rel, ".")), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(dir)
	call(namespace.Result(dir), l.Str(path.Base(p)))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(dir))
}

func (b *builder) makeDirs(paths []string, mode uint32) {
	for _, p := range paths {
		what := "make " + p
		b.inSkeleton(what, p, func(dir, name namespace.Arg) {
			b.list.Call(what, unix.SYS_MKDIRAT, dir, name, namespace.N(mode))
		})
	}
}

// show mounts a tree at p, in the sandbox, and returns the names that are made for
// it.
func (a *attacher) show(b *builder, tree namespace.Slot, p string, dir bool) ([]string, error) {
	on, ok := a.at(p)
	switch {
	case !ok && a.skeleton.names != nil:
		return a.showNew(b, tree, p, dir)
	case ok && on.Op == enforce.OpTmpfs && on.Path != p && !dir:
		b.pointWithin(on.Path, p)
	}
	a.inside(b)
	row.Move(b.list, "show "+p, tree, namespace.CWD, p)
	return nil, nil
}

// showNew is show for a name of the skeleton. One that is not there is made
// elsewhere, mounted on, and put in its place: at no time does anybody find an
// empty file where there is none.
func (a *attacher) showNew(b *builder, tree namespace.Slot, p string, dir bool) ([]string, error) {
	made, err := a.skeleton.missing(p)
	if err != nil {
		return nil, err
	}
	at := p
	if len(made) > 0 {
		at = a.stage()
		b.makeDirs(made[:len(made)-1], 0o755)
		b.makePoint(at, dir)
	}
	a.inside(b)
	row.Move(b.list, "show "+p, tree, namespace.CWD, at)
	if at != p {
		a.outside(b) // where it is no mount point
		b.inSkeleton("show "+p, p, func(dir, name namespace.Arg) {
			b.list.Call("show "+p, unix.SYS_RENAMEAT2, num(skeletonRoot), b.list.Str(path.Base(at)), dir, name, num(unix.RENAME_NOREPLACE))
		})
	}
	return made, nil
}

// stage is a name of the skeleton that nothing has: for what is about to come into
// the view, or to leave it.
func (a *attacher) stage() string {
	a.skeleton.staged++
	return "/.ambit-" + itoa(a.skeleton.staged)
}

// undo removes what a row that failed has made.
func (a *attacher) undo(made []string) error {
	if len(made) == 0 {
		return nil
	}
	return a.clear(append(made, "/.ambit-"+itoa(a.skeleton.staged)))
}

// makePoint makes a directory or a file that nobody can open.
func (b *builder) makePoint(p string, dir bool) {
	if dir {
		b.makeDirs([]string{p}, 0)
		return
	}
	what := "make " + p
	b.inSkeleton(what, p, func(dir, name namespace.Arg) {
		file := b.list.NewSlot()
		b.list.Call(what, unix.SYS_OPENAT, dir, name, num(unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC), num(0)).Keep(file)
		b.list.Call(what, unix.SYS_CLOSE, namespace.Result(file))
	})
}

// remove takes the name p of the skeleton away at once, with what is mounted on
// it. Where it stays, since the view has it for its own sake or it is the trap's,
// it does nothing, and reports that.
func (a *attacher) remove(p string) (removed bool, err error) {
	names := a.skeleton.beneath(p)
	if len(names) == 0 {
		return false, nil
	}
	stage := a.stage()
	b := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(b)
	what := "take away " + p
	b.inSkeleton(what, p, func(dir, name namespace.Arg) {
		b.list.Call(what, unix.SYS_RENAMEAT2, dir, name, num(skeletonRoot), b.list.Str(path.Base(stage)), num(unix.RENAME_NOREPLACE))
	})
	a.inside(b)
	b.closeChanges(stage)
	b.unmount(stage).May() // else it goes with the name
	a.home(b)
	if err := a.do(b.list); err != nil {
		return false, err
	}
	moved := make([]string, len(names))
	for i, q := range names {
		a.skeleton.remove(q)
		moved[i] = stage + q[len(p):]
	}
	return true, a.clear(moved)
}

// link makes symbolic links of the host in the view's root, so that paths through
// them lead to what was granted. It tells no more than a trap: that they are
// there, and where they lead. A directory that is only walked through is made too,
// and is hidden as before.
//
// Security: a link is made where nothing is and replaces nothing. What it leads
// to is what the view has there.
func (a *attacher) link(links []enforce.Link) error {
	for _, k := range links {
		a.mu.Lock()
		var err error
		if _, on := a.at(k.Path); !on { // else it was shown meanwhile, with what is around it
			err = a.makeLink(k)
		}
		a.mu.Unlock()
		if err != nil {
			return fmt.Errorf("make the link %s: %w", k.Path, err)
		}
	}
	return nil
}

var errLinks = errors.New("too many links")

// makeLink makes one; mu is held.
func (a *attacher) makeLink(k enforce.Link) error {
	made, err := a.skeleton.missing(k.Path)
	if err != nil || len(made) == 0 {
		return nil //nolint:nilerr // something is there, and stays: the kernel walks on as it is
	}
	if a.skeleton.links >= maxLinks {
		return errLinks
	}
	if err := a.start(); err != nil {
		return err
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(b)
	b.makeDirs(made[:len(made)-1], 0o755)
	if what := "make " + k.Path; k.Target == "" {
		b.makeDirs([]string{k.Path}, 0o755)
	} else {
		b.inSkeleton(what, k.Path, func(dir, name namespace.Arg) {
			b.list.Call(what, unix.SYS_SYMLINKAT, b.list.Str(k.Target), dir, name)
		})
	}
	a.home(b)
	if err := a.do(b.list); err != nil {
		return errors.Join(err, a.undo(made))
	}
	a.skeleton.links++
	a.skeleton.add(made, unix.S_IFDIR)
	if k.Target != "" {
		a.skeleton.target(k)
	}
	return nil
}

// clear removes names of the skeleton that are of no use. One that cannot be
// removed stays known.
func (a *attacher) clear(names []string) error {
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // those beneath first
	for _, p := range names {
		what := "remove " + p
		b := &builder{plan: a.plan, list: &namespace.List{}}
		l := b.list
		a.home(b)
		b.inSkeleton(what, p, func(dir, name namespace.Arg) {
			l.Call(what, unix.SYS_UNLINKAT, dir, name, num(0)).May()
			l.Call(what, unix.SYS_UNLINKAT, dir, name, num(unix.AT_REMOVEDIR)).May()
			l.Call(what, unix.SYS_FACCESSAT, dir, name, num(unix.F_OK)).MustFail(unix.ENOENT)
		})
		a.home(b)
		if err := a.do(l); err != nil {
			return err
		}
		a.skeleton.remove(p)
	}
	return nil
}

// settle waits until no mount is being made or taken away: between a name and
// what is mounted on it, it is neither hidden nor shown.
func (a *attacher) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
}
