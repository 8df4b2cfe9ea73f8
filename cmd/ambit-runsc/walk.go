//go:build linux

package main

import (
	"path"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/fspath"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// mostLinks bounds the links that are followed at the end of a path, as the kernel does.
const mostLinks = 40

// walk is the way of one path of a call, as the call will go it. The last name is looked
// up by the launcher: a look at what is hidden would be a question of its own.
type walk struct {
	c    *held
	t    *kernel.Task
	root vfs.VirtualDentry

	start vfs.VirtualDentry // where the rest begins
	name  string            // the rest
	from  int               // the argument with the directory that it began at, cwd, or fromRoot
}

// Where a walk begins that began at no descriptor.
const (
	cwd      = seccomp.CWD
	fromRoot = cwd - 1
)

// walk begins one at the directory that the argument dir says; false: there is none.
func (c *held) walk(dir int, name string) (w *walk, ok bool) {
	w = &walk{c: c, t: c.t, root: c.t.FSContext().RootDirectory(), name: name, from: dir}
	if dir != cwd && c.args[dir].Int() == linux.AT_FDCWD {
		w.from = cwd
	}
	if name[0] == '/' {
		w.from = fromRoot
	}
	w.start, ok = w.began()
	if !ok {
		w.root.DecRef(w.t)
	}
	return w, ok
}

// began is where the walk began.
func (w *walk) began() (at vfs.VirtualDentry, ok bool) {
	switch w.from {
	case fromRoot:
		at = w.root
	case cwd:
		return w.t.FSContext().WorkingDirectory(), true
	default:
		file := w.t.GetFile(w.c.args[w.from].Int())
		if file == nil {
			return at, false
		}
		defer file.DecRef(w.t)
		at = file.VirtualDentry()
	}
	at.IncRef()
	return at, true
}

func (w *walk) end() {
	w.start.DecRef(w.t)
	w.root.DecRef(w.t)
}

// ask asks about what the path leads to.
func (w *walk) ask(q wire.Question) error {
	who(w.t, &q)
	for range mostLinks {
		parent, last, ok := w.parent()
		if !ok {
			return nil
		}
		target, err := w.askIn(parent, last, q)
		if target == "" {
			parent.DecRef(w.t)
			return err
		}
		w.start.DecRef(w.t)
		w.start, w.name = parent, target
		if target[0] == '/' {
			w.start.DecRef(w.t)
			w.start = w.root
			w.start.IncRef()
		}
	}
	return nil
}

// parent goes to where the last name lies; without one it is the object itself.
func (w *walk) parent() (parent vfs.VirtualDentry, last string, ok bool) {
	dir, last := seccomp.Split(w.name)
	if last == "" || last == "." || last == ".." {
		dir, last = w.name, ""
	}
	parent, ok = w.find(w.start, dir)
	return parent, last, ok
}

// find is what a path leads to. What is on the way is passed, which asks nobody.
func (w *walk) find(start vfs.VirtualDentry, name string) (vfs.VirtualDentry, bool) {
	p := fspath.Parse(name)
	if p.Absolute {
		start = w.root
	}
	at, err := w.t.Kernel().VFS().GetDentryAt(w.t, w.t.Credentials(), &vfs.PathOperation{Root: w.root, Start: start, Path: p, FollowFinalSymlink: true}, &vfs.GetDentryOptions{})
	return at, err == nil
}

// askIn asks about a name in a directory. It returns where the name leads, if it is a
// link that is followed.
//
// Security: what lies in a mount of the sandbox's own kernel was mounted by the plan, and
// nothing is shown in it.
func (w *walk) askIn(parent vfs.VirtualDentry, last string, q wire.Question) (target string, err error) {
	if parent.Mount() != w.root.Mount() {
		if q.Entry || q.Link || last == "" {
			return "", nil
		}
		target, err := w.t.Kernel().VFS().ReadlinkAt(w.t, w.t.Credentials(), &vfs.PathOperation{Root: w.root, Start: parent, Path: fspath.Parse(last)})
		if err != nil {
			return "", nil // it is none
		}
		return target, nil
	}
	dir, err := w.path(parent)
	if err != nil || dir == "" || len(last) > wire.LongestName || q.Entry && last == "" {
		return "", nil
	}
	q.Dir, q.Name = []byte(dir), []byte(last)
	if q.List {
		w.cover(parent, last)
	}
	told, err := w.c.h.asks.ask(w.t, q)
	switch {
	case err != nil:
		return "", err
	case told.Errno != 0:
		return "", linuxerr.ErrorFromUnix(told.Errno)
	case len(told.Target) > 0:
		return string(told.Target), nil
	}
	if told.Shown {
		w.forget(path.Join(dir, last))
		w.forget(dir)
	}
	if q.Want != wire.WantRead { // the trap shows those who read beneath the cover what they come to
		w.renew(q.Want == wire.WantWrite)
	}
	return "", nil
}

// cover has a directory that is asked about kept as it is before the answer.
func (w *walk) cover(parent vfs.VirtualDentry, last string) {
	if w.c.covered.Ok() {
		w.c.covered.DecRef(w.t)
		w.c.covered = vfs.VirtualDentry{}
	}
	at := &vfs.PathOperation{Root: w.root, Start: parent, Path: fspath.Parse(last)}
	if dir, err := w.t.Kernel().VFS().GetDentryAt(w.t, w.t.Credentials(), at, &vfs.GetDentryOptions{CheckSearchable: true}); err == nil {
		w.c.covered = dir
	}
}

func (w *walk) path(at vfs.VirtualDentry) (string, error) {
	return w.t.Kernel().VFS().PathnameReachable(w.t, w.root, at)
}

// forget has this kernel forget what it knows of an object that was shown: it may know it
// with other rights.
func (w *walk) forget(p string) {
	if at, ok := w.find(w.root, p); ok {
		at.Dentry().MarkEvictable()
		at.DecRef(w.t)
	}
}

// renew has the call begin anew where it begins, by name: the directory may be covered by
// what was shown. A working directory is entered, another one lent to a call that changes:
// whoever only comes by one meets what is shown beneath the cover too.
func (w *walk) renew(change bool) {
	if w.from == fromRoot || w.from != cwd && !change {
		return
	}
	was, ok := w.began()
	if !ok {
		return
	}
	defer was.DecRef(w.t)
	p, err := w.path(was)
	if err != nil || p == "" {
		return
	}
	at, ok := w.find(w.root, p)
	if !ok {
		return
	}
	defer at.DecRef(w.t)
	switch {
	case at == was:
	case w.from == cwd:
		w.t.FSContext().SetWorkingDirectory(w.t, at)
	default:
		here := &vfs.PathOperation{Root: w.root, Start: at, Path: fspath.Parse(".")}
		if file, err := w.t.Kernel().VFS().OpenAt(w.t, w.t.Credentials(), here, &vfs.OpenOptions{Flags: linux.O_PATH | linux.O_DIRECTORY}); err == nil {
			w.c.lend(w.from, file)
			file.DecRef(w.t) // the table has one
		}
	}
}

// who says who asks.
func who(t *kernel.Task, q *wire.Question) {
	q.PID = int32(t.Kernel().RootPIDNamespace().IDOfThreadGroup(t.ThreadGroup()))
	name := t.Name()
	q.Program = []byte(name[:min(len(name), wire.LongestProgram)])
	m := t.MemoryManager()
	begin, end := m.ArgvStart(), m.ArgvEnd()
	if end <= begin {
		return
	}
	argv := make([]byte, min(uint64(end-begin), wire.LongestArgv))
	n, _ := t.CopyInBytes(begin, argv) // as far as it can be read
	q.Argv = argv[:n]
}
