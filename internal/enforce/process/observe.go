//go:build linux

package process

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// observed has a held execve go on, after whoever wants to know was told which
// program it starts.
func (w *watcher) observed(n seccomp.Notification) seccomp.Verdict {
	v := w.run(n)
	if _, ok := w.s.asking.asker.(enforce.Observer); !ok || v != seccomp.Go() {
		return v
	}
	return w.asked(n, unix.EPERM, func(context.Context) bool { w.observe(n); return true })
}

// observe tells an observer which program a held execve starts. What is told is
// no decision: the program could still put another path in its place.
func (w *watcher) observe(n seccomp.Notification) {
	o, ok := w.s.asking.asker.(enforce.Observer)
	if !ok || n.Call != unix.SYS_EXECVE && n.Call != unix.SYS_EXECVEAT {
		return
	}
	name, err := seccomp.ReadPath(n.PID, pathArgument(n))
	if err != nil || len(name) == 0 {
		return
	}
	dir := cwd
	if n.Call == unix.SYS_EXECVEAT {
		dir = 0
	}
	p, ok := w.viewPath(n, dir, string(name))
	if !ok {
		return
	}
	t := enforce.Touch{Kind: enforce.TouchRun, PID: n.PID, Call: seccomp.Name(n.Call)}
	t.Program, t.Argv = program(n.PID)
	a := w.s.asking
	p = path.Clean(p)
	if on, ok := a.attach.at(p); ok && on.Op == enforce.OpTmpfs {
		if a.made(p) {
			o.Started(t)
		}
		return
	}
	real, st, err := a.resolved(p, true)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return // the kernel will say so
	}
	if on, ok := a.attach.at(real); !ok || !on.Exec {
		return // it is asked about
	}
	if real != p {
		o.Linked(p)
	}
	t.Path, t.Dev, t.Ino = real, st.Dev, st.Ino
	o.Started(t)
}

// made reports whether there is something at p, in a place of the sandbox's own:
// no folder, or a link that the sandbox made there.
func (a *asking) made(p string) bool {
	if a.trap == nil {
		s, err := a.walk(p, true)
		return err == nil && s.st.Mode&unix.S_IFMT != unix.S_IFDIR
	}
	return a.attach.made(p)
}

// made is asking.made by the attacher: nobody else but the sandbox may walk
// through a trap of an ordinary user's. A link is not followed: it might lead to
// the trap, which would wait for this.
func (a *attacher) made(p string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.start() != nil {
		return false
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	l := b.list
	a.home(b)
	a.inside(b)
	file, st := l.NewSlot(), &unix.Stat_t{}
	what := "look at " + p
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(p), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(file)
	l.Call(what, unix.SYS_FSTAT, namespace.Result(file), namespace.Pointer(l, st))
	a.home(b)
	err := a.do(l)
	return errors.Is(err, unix.ELOOP) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR
}
