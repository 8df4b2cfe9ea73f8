//go:build linux

package process

import (
	"context"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// A program that is told by access(2) that it may not write or execute a file
// does not try, and nobody is asked: make does not start what it has just built,
// an editor opens a file as read-only. So what may come to be allowed is said to
// be allowed, and the question is put when it is done.

// access answers a held access(2) of a view with a trap. What is hidden is asked
// about first, as every look at it is.
func (w *watcher) access(n seccomp.Notification) seccomp.Verdict {
	call := seccomp.Looking[n.Call]
	p, ok := w.place(n, call.Paths[0])
	if !ok {
		return seccomp.Go()
	}
	return w.apart(n, unix.EACCES, func(ctx context.Context) unix.Errno {
		t, _, ask := w.wanted(n, call, p.path)
		if ask && w.listener.Valid(n.ID) && !w.s.asking.put(ctx, t) {
			return unix.ENOENT
		}
		return 0
	})
}

// proceed lets a held call go on, or answers it where it only asks whether
// something may be done that can be asked about.
//
// Security: what is answered is a look. The call that does it is held in its turn,
// and what it may do is what is mounted then.
func (w *watcher) proceed(n seccomp.Notification) seccomp.Verdict {
	mode := mayMode(n)
	if mode == 0 {
		return seccomp.Go()
	}
	call := seccomp.Looking[n.Call]
	p, ok := w.place(n, call.Paths[0])
	if !ok || own(p.path) {
		return seccomp.Go()
	}
	a := w.s.asking
	_, follow := wants(call, n)
	s, err := a.find(p.path, follow)
	if err != nil {
		return seccomp.Go()
	}
	on, ok := a.attach.at(s.path)
	if !ok || on.Op != enforce.OpBind || on.Source != on.Path || on.Device {
		return seccomp.Go()
	}
	write := mode&unix.W_OK != 0 && !on.Write
	run := mode&unix.X_OK != 0 && !on.Exec && s.st.Mode&unix.S_IFMT == unix.S_IFREG
	if !write && !run || unix.Faccessat(a.host, s.path[1:], mode, unix.AT_EACCESS) != nil || !w.listener.Valid(n.ID) {
		return seccomp.Go() // the kernel says so
	}
	return seccomp.Succeed()
}

// mayMode is what an access(2) asks about, if it is about writing or executing.
func mayMode(n seccomp.Notification) uint32 {
	var mode uint32
	switch n.Call {
	case seccomp.CallAccess:
		mode = uint32(n.Args[1])
	case unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2:
		mode = uint32(n.Args[2])
	}
	if mode&(unix.W_OK|unix.X_OK) == 0 {
		return 0
	}
	return mode
}
