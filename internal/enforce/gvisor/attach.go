//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/trap"
)

// goferRoot is where the gofer's mount namespace has the view: it lives in there
// by chroot(2), and who enters its namespace comes above.
const goferRoot = "/root"

// Descriptors that the worker keeps.
const (
	hostMounts  = 20 // its own mount namespace, a copy of the host's
	goferMounts = 21
	lastKept    = 21
	firstBelow  = 100 // the covered directories of attacher.below, in its order
	mostBelow   = 100
)

// mostShown bounds the mounts that are made beneath covers.
const mostShown = 1000

var errEnded = errors.New("the sandbox has ended")

// An attacher shows what was answered in the view of a running sandbox: in the
// mount namespace of its gofer, which alone opens files of the host. What it mounts
// is made whole first and then attached at once, so that nobody sees a grant without
// the masks that belong to it.
type attacher struct {
	plan  enforce.Plan
	gofer int // as the host sees it
	trap  *trap.Trap

	mu      sync.Mutex // one change at a time; guards worker, closed, below and beneath
	worker  *namespace.Worker
	closed  bool
	below   []string       // directories of the trap that were covered, and are kept open
	beneath map[string]int // what is shown beneath a cover, by its number in below

	table sync.RWMutex             // never held while something is mounted
	shown map[string]enforce.Entry // by path: what is mounted; guarded by table
	came  map[string]int           // of shown, what was attached since the start, and how often; guarded by table
}

func newAttacher(p enforce.Plan, gofer int, t *trap.Trap) *attacher {
	a := &attacher{plan: p, gofer: gofer, trap: t, beneath: map[string]int{}, shown: map[string]enforce.Entry{}, came: map[string]int{}}
	for _, e := range p.View {
		if !e.IsName() && e.Op != enforce.OpTrap {
			a.shown[e.Path] = e
		}
	}
	return a
}

// grants reports whether p lies in what was attached since the start, so that who
// is asked for it beneath came by a directory that was covered.
func (a *attacher) grants(p string) bool {
	on, ok := a.at(p)
	a.table.RLock()
	defer a.table.RUnlock()
	return ok && a.came[on.Path] > 0 && on.Op == enforce.OpBind
}

// at is the mount that a path of the view lies on; false: it lies on the trap.
func (a *attacher) at(p string) (enforce.Entry, bool) {
	a.table.RLock()
	defer a.table.RUnlock()
	return enforce.MountAt(a.shown, p)
}

// attach shows entries in the running view: binds, each followed by the masks
// and pins that lie in it.
//
// Security: what is attached is the object whose device and inode the entry
// names, opened without following links. On an error the view is as it was, but
// for entries that stand before the one that failed.
func (a *attacher) attach(entries []enforce.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return enforce.ShowTrees(entries, a.attachTree)
}

// attachTree shows e with what lies in it.
func (a *attacher) attachTree(e enforce.Entry, parts []enforce.Entry) error {
	if e.Op != enforce.OpBind || !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || e.Path == "/" {
		return fmt.Errorf("internal error: %s at %q cannot be attached", e.Op, e.Path)
	}
	on, ok := a.at(e.Path)
	switch {
	case ok && on.Includes(e):
		return nil
	case ok && a.widens(on, e):
		return a.widen(e, parts)
	}
	kept, err := a.kept(e)
	if err != nil {
		return err
	}
	if err := a.start(); err != nil {
		return err
	}
	b := a.newRow()
	keeps := a.keepBelow(b, e)
	tree := b.whole(e, parts, kept)
	all := append([]enforce.Entry{e}, parts...)
	for _, e := range all { // the kernel takes a mount away with a name that has become something else
		a.trap.Shown(e.Path, e.Dir)
	}
	b.inside()
	row.Move(b.list, "show "+e.Path, tree, namespace.CWD, goferRoot+e.Path)
	after := len(a.below)
	if keeps {
		after++
	}
	b.home(after)
	if err := a.worker.Do(b.list); err != nil {
		a.renounce(all)
		return err
	}
	if keeps {
		a.below = append(a.below, e.Path)
	}
	a.table.Lock()
	defer a.table.Unlock()
	a.cover(e.Path, kept)
	for _, e := range all {
		a.shown[e.Path] = e
		a.came[e.Path]++
	}
	return nil
}

// cover forgets what is shown beneath p, which lies beneath a mount now, but for what was
// kept. It is mounted still, and hide takes it away. a.table is held.
func (a *attacher) cover(p string, kept []string) {
	maps.DeleteFunc(a.shown, func(q string, _ enforce.Entry) bool {
		return q != p && within(q, p) && a.came[q] > 0 && !slices.ContainsFunc(kept, func(k string) bool { return within(q, k) })
	})
}

// renounce tells the trap of what was not mounted.
func (a *attacher) renounce(entries []enforce.Entry) {
	a.table.RLock()
	defer a.table.RUnlock()
	for _, e := range entries {
		if _, ok := a.shown[e.Path]; !ok {
			a.trap.Hidden(e.Path)
		}
	}
}

// kept are the outermost mounts beneath e that have a right or an object which e has
// not: they stay visible. What the sandbox's own kernel keeps in memory it would
// lose with the name that it lies on.
func (a *attacher) kept(e enforce.Entry) (outer []string, err error) {
	a.table.RLock()
	defer a.table.RUnlock()
	var paths []string
	for q, on := range a.shown {
		switch {
		case q == e.Path || !within(q, e.Path):
		case on.Op == enforce.OpTmpfs && on.Write:
			return nil, fmt.Errorf("what the program writes at %s is kept in memory, and would be lost", q)
		case !e.Includes(on):
			paths = append(paths, q)
		}
	}
	return enforce.Outermost(paths), nil
}

// keepBelow has a row keep the trap's directory at e's path open: a program may be in
// it, and its relative paths begin there for ever. It stands first in the row: the
// number must not be taken.
func (a *attacher) keepBelow(b *attaching, e enforce.Entry) bool {
	if _, mounted := a.at(e.Path); mounted || !e.Dir || len(a.below) >= mostBelow {
		return false
	}
	b.inside()
	fd := b.path("keep "+e.Path, goferRoot+e.Path)
	b.list.Call("keep "+e.Path, unix.SYS_DUP3, namespace.Result(fd), num(firstBelow+len(a.below)), num(unix.O_CLOEXEC))
	b.outside()
	return true
}

// attachBelow shows what a cover has at p beneath the cover too, for whoever came
// there by a directory that is covered. It does nothing for the cover itself.
//
// Security: it is the cover's own mount that is copied, with its rights and its
// masks.
func (a *attacher) attachBelow(p string, dir bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := -1 // the innermost: from one further out there is a way that is not hidden
	for j, cover := range a.below {
		if cover != p && within(p, cover) && (i < 0 || len(cover) > len(a.below[i])) {
			i = j
		}
	}
	_, is := a.beneath[p]
	switch {
	case i < 0 || is:
		return nil
	case len(a.beneath) >= mostShown:
		return errors.New("too much is shown beneath what covers it")
	}
	if err := a.start(); err != nil {
		return err
	}
	a.trap.Shown(p, dir)
	b := a.newRow()
	b.inside()
	tree := row.CopyTree(b.list, goferRoot+p)
	row.Move(b.list, "show "+p+" beneath", tree, num(firstBelow+i), strings.TrimPrefix(p, a.below[i]+"/"))
	b.home(len(a.below))
	if err := a.worker.Do(b.list); err != nil {
		a.renounce([]enforce.Entry{{Path: p}})
		return err
	}
	a.beneath[p] = i
	return nil
}

// start makes the worker when it is needed first.
//
// Security: it holds every right in the user namespace that owns the sandbox's
// mounts, and none outside; for root it is root. It runs no code but the rows
// that are made here, and it dies with the launcher.
func (a *attacher) start() error {
	if a.closed {
		return errEnded
	}
	if a.worker != nil {
		return nil
	}
	b := &builder{plan: a.plan, list: &namespace.List{}, parent: -1, answers: -1, asks: -1}
	defer b.close()
	var user, mounts int
	for _, f := range []struct {
		to   *int
		open func() (int, error)
	}{
		{&user, func() (int, error) { return unix.Open(dirOf(a.gofer)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0) }},
		{&mounts, func() (int, error) { return unix.Open(dirOf(a.gofer)+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0) }},
		{&b.proc, func() (int, error) { return unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) }},
		{&b.self, func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) }},
	} {
		fd, err := f.open()
		if err != nil {
			return fmt.Errorf("make a process that attaches: %w", err)
		}
		defer unix.Close(fd) //nolint:errcheck // it only stands for a file
		if *f.to, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lastKept+1); err != nil {
			return fmt.Errorf("make a process that attaches: %w", err)
		}
		b.open = append(b.open, *f.to)
	}
	l := b.list
	b.blockSignals()
	// Also 0 to 2: where the launcher has none, they may be its end of a line.
	l.Call("leave the launcher's descriptors", unix.SYS_CLOSE_RANGE, num(0), num(namespace.WorkerLine-1), num(0))
	b.closeAllBut(namespace.WorkerLine, user, mounts, b.proc, b.self)
	if a.plan.UID != 0 {
		l.Call("enter the sandbox's user namespace", unix.SYS_SETNS, num(user), num(unix.CLONE_NEWUSER))
	}
	b.dieWithLauncher()
	l.Call("copy the host's mounts", unix.SYS_UNSHARE, num(unix.CLONE_NEWNS))
	l.Call("keep the copy apart", unix.SYS_MOUNT, l.Str("none"), l.Str("/"), num(0), num(unix.MS_REC|unix.MS_SLAVE))
	fd := l.NewSlot()
	l.Call("keep the copy", unix.SYS_OPENAT, num(b.proc), l.Str("self/ns/mnt"), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(fd)
	l.Call("keep the copy", unix.SYS_DUP3, namespace.Result(fd), num(hostMounts), num(unix.O_CLOEXEC))
	l.Call("keep the gofer's mounts", unix.SYS_DUP3, num(mounts), num(goferMounts), num(unix.O_CLOEXEC))
	l.Call("set umask", unix.SYS_UMASK, num(0))
	var err error
	if a.worker, err = namespace.StartWorker(l); err != nil {
		return fmt.Errorf("make a process that attaches: %w", err)
	}
	return nil
}

// close ends the worker.
func (a *attacher) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.worker == nil {
		return nil
	}
	w := a.worker
	a.worker = nil
	return w.Close()
}

// An attaching is a row of the worker that attaches.
type attaching struct{ builder }

// newRow begins a row where each begins: one that failed may have stopped anywhere.
func (a *attacher) newRow() *attaching {
	b := &attaching{builder{plan: a.plan, list: &namespace.List{}, parent: -1, answers: -1, asks: -1}}
	b.home(len(a.below))
	return b
}

// home goes back to where rows begin, and closes what they have opened.
func (b *attaching) home(below int) {
	b.outside()
	keep := []int{namespace.WorkerLine, hostMounts, goferMounts}
	for i := range below {
		keep = append(keep, firstBelow+i)
	}
	l := b.list
	l.Call("close descriptors", unix.SYS_CLOSE_RANGE, num(0), num(namespace.WorkerLine-1), num(0))
	b.closeAllBut(keep...)
}

func (b *attaching) outside() {
	b.list.Call("leave the sandbox", unix.SYS_SETNS, num(hostMounts), num(unix.CLONE_NEWNS))
}

func (b *attaching) inside() {
	b.list.Call("enter the sandbox", unix.SYS_SETNS, num(goferMounts), num(unix.CLONE_NEWNS))
}

// path opens a path without following links.
func (b *attaching) path(what, at string) namespace.Slot { return row.HostPath(b.list, what, at) }

// whole makes the mount of e with its parts and with mounts that the view has already
// beneath it, not yet attached.
func (b *attaching) whole(e enforce.Entry, parts []enforce.Entry, kept []string) namespace.Slot {
	if slices.ContainsFunc(parts, func(p enforce.Entry) bool { return p.Op == enforce.OpMask && !p.Dir }) {
		b.nothing = b.emptyFile()
	}
	tree := b.detached(e)
	if len(parts)+len(kept) == 0 {
		return tree
	}
	var all []row.Part
	for _, p := range parts {
		all = append(all, row.Part{Mount: b.detached(p), At: strings.TrimPrefix(p.Path, e.Path)})
	}
	b.inside()
	for _, p := range kept {
		all = append(all, row.Part{Mount: row.CopyTree(b.list, goferRoot+p), At: strings.TrimPrefix(p, e.Path)})
	}
	b.outside()
	return row.PutTogether(b.list, "put together "+e.Path, tree, all)
}
