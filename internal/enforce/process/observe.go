//go:build linux

package process

import (
	"context"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
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
		if fi, err := os.Stat("/proc/" + strconv.Itoa(n.PID) + "/root" + p); err == nil && fi.Mode().IsRegular() {
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
