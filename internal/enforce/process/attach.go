//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/trap"
)

// An attacher changes the mounts of a running sandbox. What it mounts is made
// whole first and then attached at once, so that a program never sees a grant
// without the masks that belong to it.
type attacher struct {
	plan  enforce.Plan
	names []enforce.Entry // what the trap shows of itself
	stand []string        // programs that can be asked about, where files stand for them
	trap  *trap.Trap      // that knows what is mounted on it; nil: there is none
	init  atomic.Int64    // of the sandbox, as the host sees it; 0 until it is there
	there atomic.Bool     // the worker is made

	mu     sync.Mutex // one change at a time; guards worker, atHome, closed, below and buried
	worker *namespace.Worker
	atHome bool // the last row has ended where each begins
	closed bool
	below  []string            // directories of the trap that were covered, and are kept open
	buried []buried            // mounts that lie beneath a cover
	shows  map[string][]string // by such a directory, the names in it that something is mounted on; guarded by mu

	table  sync.RWMutex             // never held while something is mounted
	shown  map[string]enforce.Entry // what is mounted, by path of the view; guarded by table
	masks  map[string]enforce.Entry // that lie beneath what is mounted on their path; guarded by table
	covers map[string]bool          // of below, for whoever must not wait for mu; guarded by table

	skeleton *skeleton
}

func newAttacher(p enforce.Plan) *attacher {
	a := &attacher{plan: p, shown: map[string]enforce.Entry{}, masks: map[string]enforce.Entry{}, covers: map[string]bool{}, skeleton: newSkeleton(p)}
	if p.Asks() {
		a.names = ownNames(p)
	}
	for _, e := range p.View {
		if e.Ask {
			a.stand = append(a.stand, e.Path)
		}
		switch e.Op {
		case enforce.OpDir, enforce.OpFile, enforce.OpLink, enforce.OpTrap: // nothing is mounted, or the view itself
		case enforce.OpBind, enforce.OpTmpfs, enforce.OpProc, enforce.OpDevpts, enforce.OpMask, enforce.OpOverlay, enforce.OpAppend, enforce.OpBounded, enforce.OpStored:
			a.shown[e.Path] = e
		}
	}
	return a
}

// at is the mount that a path of the view lies on; false: it lies on the view's root.
func (a *attacher) at(p string) (enforce.Entry, bool) {
	a.table.RLock()
	defer a.table.RUnlock()
	return enforce.MountAt(a.shown, p)
}

// has reports whether the view has what e shows, with its rights.
func (a *attacher) has(e enforce.Entry) bool {
	on, ok := a.at(e.Path)
	if e.Op == enforce.OpMask {
		return ok && on.Op == e.Op && on.Path == e.Path
	}
	return ok && on.Includes(e)
}

// beneath are the outermost mounts beneath e that have a right or an object
// which e has not.
func (a *attacher) beneath(e enforce.Entry) []string {
	return a.outermost(func(q string, on enforce.Entry) bool { return q != e.Path && inside(q, e.Path) && !e.Includes(on) })
}

// outermost are the paths of mounts for which choose is true, without those that
// lie in another one of them.
func (a *attacher) outermost(choose func(string, enforce.Entry) bool) []string {
	a.table.RLock()
	defer a.table.RUnlock()
	var paths []string
	for q, on := range a.shown {
		if choose(q, on) {
			paths = append(paths, q)
		}
	}
	return enforce.Outermost(paths)
}

// inside reports whether p is dir or beneath it, by whole components.
func inside(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/") //nolint:forbidigo // the separator is part of the prefix
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
func (a *attacher) attachTree(e enforce.Entry, within []enforce.Entry) error {
	if !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || e.Path == "/" {
		return fmt.Errorf("internal error: the path %q cannot be attached", e.Path)
	}
	if e = a.keeps(e); a.has(e) {
		return nil
	}
	if err := a.start(); err != nil {
		return err
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	if !a.atHome {
		a.home(b)
	}
	var made []string
	old, ok := a.at(e.Path)
	widened := ok && old.Path == e.Path && old.Source == e.Source && old.Op == enforce.OpBind
	names := a.announce(append([]enforce.Entry{e}, within...))
	if widened {
		// The mount that is there gets the wider right: who works in it already
		// would not notice another one on top.
		a.upgrade(b, e, within)
	} else {
		a.keepBelow(b, e)
		var err error
		if made, err = a.cover(b, e, within); err != nil {
			a.renounce(names)
			return err
		}
	}
	a.home(b)
	if err := a.do(b.list); err != nil {
		a.renounce(names)
		return errors.Join(err, a.undo(made))
	}
	a.atHome = true // the row has ended there
	if !widened {
		a.bury(e)
	}
	a.note(e, within, made)
	return nil
}

// announce tells the trap of what is about to be mounted, and returns the paths:
// the kernel takes a mount away with its name when the trap says that the name has
// become something else.
func (a *attacher) announce(entries []enforce.Entry) (paths []string) {
	if a.trap == nil {
		return nil
	}
	for _, e := range entries {
		a.trap.Shown(e.Path, e.Dir)
		paths = append(paths, e.Path)
	}
	return paths
}

// renounce tells it of what was not mounted, or is no longer.
func (a *attacher) renounce(paths []string) {
	if a.trap == nil {
		return
	}
	a.table.RLock()
	defer a.table.RUnlock()
	for _, p := range paths {
		if _, ok := a.shown[p]; !ok {
			a.trap.Hidden(p)
		}
	}
}

// note keeps what is mounted now, and the names that were made for it.
func (a *attacher) note(e enforce.Entry, within []enforce.Entry, made []string) {
	a.table.Lock()
	defer a.table.Unlock()
	for q, on := range a.shown {
		if q != e.Path && e.Includes(on) {
			delete(a.shown, q) // beneath it now
		}
	}
	if on := a.shown[e.Path]; on.Op == enforce.OpMask {
		a.masks[e.Path] = on
	}
	for _, e := range append([]enforce.Entry{e}, within...) {
		a.shown[e.Path] = e
	}
	mode := uint32(unix.S_IFREG)
	if e.Dir {
		mode = unix.S_IFDIR
	}
	a.skeleton.add(made, mode)
	a.skeleton.mounted(e.Path)
}

// cover mounts e, with what lies in it, over whatever is at its path. Mounts
// beneath that were there before stay visible. It returns the names that are
// made for it in the skeleton.
func (a *attacher) cover(b *builder, e enforce.Entry, within []enforce.Entry) (made []string, err error) {
	tree, err := b.detached(e)
	if err != nil {
		return nil, err
	}
	kept := a.beneath(e)
	if len(within)+len(kept) == 0 {
		return a.show(b, tree, e.Path, e.Dir)
	}
	var parts []row.Part
	for _, w := range within {
		fd, err := b.detached(w)
		if err != nil {
			return nil, err
		}
		parts = append(parts, row.Part{Mount: fd, At: strings.TrimPrefix(w.Path, e.Path)})
	}
	a.inside(b)
	for _, p := range kept {
		parts = append(parts, row.Part{Mount: row.CopyTree(b.list, p), At: strings.TrimPrefix(p, e.Path)})
	}
	a.outside(b)
	return a.show(b, row.PutTogether(b.list, "put together "+e.Path, tree, parts), e.Path, e.Dir)
}

// upgrade gives the mount at e's path the rights of e, after what lies in it was
// covered.
func (a *attacher) upgrade(b *builder, e enforce.Entry, within []enforce.Entry) {
	var parts []namespace.Slot
	for _, w := range within {
		if fd, err := b.detached(w); err == nil { // a bind or a mask: it cannot fail
			parts = append(parts, fd)
		}
	}
	a.inside(b)
	for i := range parts {
		row.Move(b.list, "show "+within[i].Path, parts[i], namespace.CWD, within[i].Path)
	}
	l := b.list
	point := l.NewSlot()
	what := "widen " + e.Path
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(e.Path), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(point)
	attr := &unix.MountAttr{}
	if e.Write {
		attr.Attr_clr |= unix.MOUNT_ATTR_RDONLY
	}
	if e.Exec {
		attr.Attr_clr |= unix.MOUNT_ATTR_NOEXEC
	}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(point), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(row.AttrSize))
}

// Descriptors that the worker keeps.
const (
	hostMounts    = 20 // its own mount namespace, a copy of the host's
	sandboxMounts = 21
	skeletonRoot  = 22 // of a view without a trap: its root, to be written to
	sandboxNet    = 23 // its network, where the link is made later
	lastKept      = 23
	firstBelow    = 100 // and those of attacher.below, in its order
	mostBelow     = 100
)

var errEnded = errors.New("the sandbox has ended")

// home begins and ends a row: a row that failed may have stopped anywhere.
func (a *attacher) home(b *builder) {
	a.outside(b)
	l := b.list
	l.Call("close descriptors", unix.SYS_CLOSE_RANGE, num(0), num(namespace.WorkerLine-1), num(0))
	l.Call("close descriptors", unix.SYS_CLOSE_RANGE, num(namespace.WorkerLine+1), num(hostMounts-1), num(0))
	l.Call("close descriptors", unix.SYS_CLOSE_RANGE, num(lastKept+1), num(firstBelow-1), num(0))
	l.Call("close descriptors", unix.SYS_CLOSE_RANGE, num(firstBelow+len(a.below)), namespace.N(uint64(^uint32(0))), num(0))
}

// do has the worker carry out a row. a.mu is held.
func (a *attacher) do(l *namespace.List) error {
	a.atHome = false
	return a.worker.Do(l)
}

func (a *attacher) outside(b *builder) {
	b.list.Call("leave the sandbox", unix.SYS_SETNS, num(hostMounts), num(unix.CLONE_NEWNS))
}

func (a *attacher) inside(b *builder) { b.intoSandbox() }

func (b *builder) intoSandbox() {
	b.list.Call("enter the sandbox", unix.SYS_SETNS, num(sandboxMounts), num(unix.CLONE_NEWNS))
}

// ready makes the worker before it is needed. What fails there is met again.
func (a *attacher) ready() {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.start() // it says the same to who needs it
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
	b := &builder{plan: a.plan, list: &namespace.List{}, parent: -1}
	defer b.close()
	own := a.plan.UID != 0 && b.user()
	var user, mounts, net int
	dir := "/proc/" + itoa(int(a.init.Load()))
	open := func(to *int, what string, f func() (int, error)) error {
		fd, err := f()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		defer unix.Close(fd) //nolint:errcheck // it only stands for a file
		if *to, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lastKept+1); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		b.open = append(b.open, *to)
		return nil
	}
	file := func(p string, flags int) func() (int, error) {
		return func() (int, error) { return unix.Open(p, flags|unix.O_CLOEXEC, 0) }
	}
	err := errors.Join(
		open(&user, "open its user namespace", file(dir+"/ns/user", unix.O_RDONLY)),
		open(&mounts, "open its mounts", file(dir+"/ns/mnt", unix.O_RDONLY)),
		open(&b.proc, "open /proc", file("/proc", unix.O_PATH|unix.O_DIRECTORY)),
		open(&b.self, "open the launcher", func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) }),
	)
	if err != nil {
		return err
	}
	keep := []int{namespace.WorkerLine, user, mounts, b.proc, b.self}
	if a.lateLink() {
		if err := open(&net, "open its network", file(dir+"/ns/net", unix.O_RDONLY)); err != nil {
			return err
		}
		keep = append(keep, net)
	}
	l := b.list
	blockSignals(l)
	// Also 0 to 2: where the launcher has none, they may be its end of a line.
	l.Call("leave the launcher's descriptors", unix.SYS_CLOSE_RANGE, num(0), num(namespace.WorkerLine-1), num(0))
	closeAllBut(l, keep)
	if own {
		l.Call("enter the sandbox's user namespace", unix.SYS_SETNS, num(user), num(unix.CLONE_NEWUSER))
	}
	b.dieWithLauncher()
	l.Call("copy the host's mounts", unix.SYS_UNSHARE, num(unix.CLONE_NEWNS))
	l.Call("keep the copy apart", unix.SYS_MOUNT, l.Str("none"), l.Str("/"), num(0), num(unix.MS_REC|unix.MS_SLAVE))
	fd := l.NewSlot()
	l.Call("keep the copy", unix.SYS_OPENAT, num(b.proc), l.Str("self/ns/mnt"), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(fd)
	l.Call("keep the copy", unix.SYS_DUP3, namespace.Result(fd), num(hostMounts), num(unix.O_CLOEXEC))
	l.Call("keep the sandbox's mounts", unix.SYS_DUP3, num(mounts), num(sandboxMounts), num(unix.O_CLOEXEC))
	if a.lateLink() {
		l.Call("keep the sandbox's network", unix.SYS_DUP3, num(net), num(sandboxNet), num(unix.O_CLOEXEC))
	}
	l.Call("set umask", unix.SYS_UMASK, num(0))
	if a.skeleton.names != nil {
		b.openSkeleton()
	}
	if a.worker, err = namespace.StartWorker(l); err != nil {
		return fmt.Errorf("make a process that attaches: %w", err)
	}
	a.there.Store(true)
	return nil
}

// close ends the worker.
func (a *attacher) close() error {
	if a == nil {
		return nil
	}
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
