//go:build linux

package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// A watcher answers the calls that the filter holds. It reports what will be
// refused, and refuses what the plan limits by number alone: a second program,
// a second process.
type watcher struct {
	s        *session
	listener *seccomp.Listener
	execs    int         // calls that start the program: init's own, and the program's
	forks    int         // init's own
	spawns   atomic.Bool // a second program was asked about and allowed
}

// The set-up itself makes these calls, before any code of the program runs.
const (
	ownExecs = 2
	ownForks = 1
)

// watch takes off the line what the row hands over, says so, and serves the
// listener, if the filter has one, until the last process of the sandbox is gone.
//
// Security: when this ends early, held calls fail with ENOSYS: closed.
func (s *session) watch(listening chan<- error) {
	defer close(s.watched)
	defer close(s.denials)
	if err := errors.Join(s.takeTrap(), row.TakeLink(s.plan.LinkAtStart(), s.network, s.line.descriptor), s.zones.Take(s.line.descriptor)); err != nil || !options(s.plan.Filter).Holds() {
		listening <- err
		return
	}
	fd, err := s.line.descriptor()
	var l *seccomp.Listener
	if err == nil {
		if l, err = seccomp.NewListener(fd); err != nil {
			_ = unix.Close(fd) // held calls fail from here on
		}
	}
	s.hears = err == nil && isListener(fd)
	listening <- err
	if err != nil {
		return
	}
	defer l.Close() //nolint:errcheck // nothing is held any more
	w := &watcher{s: s, listener: l}
	if s.plan.Filter.WatchOpens && s.asking == nil {
		s.uses = newUses(s.plan.View)
	}
	_ = l.Serve(w.handle) // whatever ended it, what is held fails
}

// isListener asks the kernel what a descriptor is.
func isListener(fd int) bool {
	name, err := os.Readlink("/proc/self/fd/" + itoa(fd))
	return err == nil && name == "anon_inode:seccomp notify"
}

// takeTrap takes the trap's device off the line and begins to serve it: the
// process that is about to become the sandbox walks paths of its view already.
func (s *session) takeTrap() error {
	if s.asking == nil || s.asking.trap == nil {
		return nil
	}
	fd, err := s.line.descriptor()
	if err != nil {
		return err
	}
	s.asking.serve(fd)
	return nil
}

func (w *watcher) handle(n seccomp.Notification) seccomp.Verdict {
	switch n.Call {
	case unix.SYS_CONNECT:
		return w.connect(n)
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		return w.exec(n)
	case unix.SYS_LISTEN:
		return w.listen(n)
	case unix.SYS_SOCKET, unix.SYS_IOCTL:
		return w.firstSocket(n)
	}
	if call, ok := seccomp.Changing[n.Call]; ok {
		switch {
		case w.s.asking == nil:
			return w.opened(n)
		case w.s.asking.trap == nil:
			return w.look(n, call)
		}
		return w.change(n)
	}
	if call, ok := seccomp.Looking[n.Call]; ok {
		if w.s.asking.trap != nil {
			return w.access(n)
		}
		return w.look(n, call)
	}
	return w.fork(n)
}

// exec refuses a second program where the plan permits none.
//
// Security: the first two calls come from init and from the process that
// becomes the program, before any of its code runs; all later ones are refused
// whatever they name, so nothing that the program can rewrite is decided on.
func (w *watcher) exec(n seccomp.Notification) seccomp.Verdict {
	switch {
	case w.s.plan.Filter.NoSpawn:
	case w.s.asking != nil && w.s.asking.trap == nil:
		return w.start(n)
	case w.s.asking != nil:
		return w.run(n)
	default:
		return w.opened(n)
	}
	if w.execs++; w.execs <= ownExecs {
		return seccomp.Go()
	}
	if w.s.plan.Filter.AskSpawn {
		switch {
		case !w.spawns.Load():
			return w.askSpawn(n)
		case w.s.asking.trap == nil:
			return w.start(n)
		}
		return w.observed(n)
	}
	name, _ := seccomp.ReadPath(n.PID, pathArgument(n)) // for the report; unreadable is empty
	w.report(n, "process.spawn", string(name), "execve")
	return seccomp.Refuse(unix.EPERM)
}

// askSpawn asks whether a second program may be started, once for all of them.
//
// Security: until that was allowed every such call is refused, whatever it
// names; afterwards every program of the view may be started, as where it was
// granted from the start.
func (w *watcher) askSpawn(n seccomp.Notification) seccomp.Verdict {
	t := enforce.Touch{Kind: enforce.TouchRun, PID: n.PID, Call: seccomp.Name(n.Call)}
	return w.asked(n, unix.EPERM, func(ctx context.Context) bool {
		if w.s.asking.put(ctx, t) {
			w.spawns.Store(true)
		}
		if w.spawns.Load() {
			w.observe(n)
		}
		return w.spawns.Load()
	})
}

func (w *watcher) fork(n seccomp.Notification) seccomp.Verdict {
	if w.forks++; w.forks <= ownForks || w.spawns.Load() {
		return seccomp.Go()
	}
	if w.s.plan.Filter.AskSpawn {
		return w.askSpawn(n)
	}
	w.report(n, "process.spawn", "", "fork")
	return seccomp.Refuse(unix.EPERM)
}

// opened looks at the path of an open for the report; the view decides.
func (w *watcher) opened(n seccomp.Notification) seccomp.Verdict {
	name, err := seccomp.ReadPath(n.PID, pathArgument(n))
	if err != nil || !w.listener.Valid(n.ID) {
		return seccomp.Go()
	}
	if p, ok := absolute(n, string(name)); ok {
		p = path.Clean(p)
		if w.s.hidden(p) {
			w.report(n, "fs.read", p, "open")
		} else if w.s.uses != nil {
			w.s.uses.opened(p)
		}
	}
	return seccomp.Go()
}

// hidden reports whether the host has something at p that the view has not.
// It is asked for the report only. /proc and /dev are the sandbox's own, and
// what they hold is different for whoever asks.
func (s *session) hidden(p string) bool {
	if strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/dev/") { //nolint:forbidigo // the separator is part of the prefix
		return false
	}
	if _, err := os.Lstat(p); err != nil {
		return false
	}
	_, err := os.Lstat("/proc/" + itoa(s.pid) + "/root" + p)
	return errors.Is(err, fs.ErrNotExist)
}

func pathArgument(n seccomp.Notification) uint64 {
	switch n.Call {
	case unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_EXECVEAT:
		return n.Args[1]
	}
	return n.Args[0]
}

// absolute makes the caller's path absolute, for display.
func absolute(n seccomp.Notification, p string) (string, bool) {
	if strings.HasPrefix(p, "/") { //nolint:forbidigo // the root, not a directory's name
		return p, true
	}
	link := "cwd"
	if n.Call != seccomp.CallOpen && n.Call != seccomp.CallCreat && n.Call != unix.SYS_EXECVE && int32(n.Args[0]) != unix.AT_FDCWD {
		link = "fd/" + itoa(int(int32(n.Args[0])))
	}
	return joined(n.PID, link, p)
}

// joined is a path beneath what a link of /proc/PID leads to.
func joined(pid int, link, p string) (string, bool) {
	dir, err := os.Readlink("/proc/" + itoa(pid) + "/" + link)
	if err != nil || p == "" {
		return "", false
	}
	return dir + "/" + p, true
}

// report tells of a denial; when nobody listens fast enough it is dropped and
// counted by the reader's own bound, never waited for.
func (w *watcher) report(n seccomp.Notification, kind, target, call string) {
	d := enforce.Denial{Kind: kind, Target: target, PID: n.PID, Call: call}
	if name, err := os.ReadFile("/proc/" + itoa(n.PID) + "/comm"); err == nil {
		d.Program = strings.TrimSpace(string(name))
	}
	select {
	case w.s.denials <- d:
	default:
		w.s.missed.Add(1)
	}
}
