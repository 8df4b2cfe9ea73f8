//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// Most programs that can ask for a network never do, and a link takes a sixth of
// their start. So it is made with the first socket that has to do with a network,
// which waits for it, by the process that attaches.

// A lateLink is such a link. The zero value is one that nobody wanted yet.
type lateLink struct {
	once sync.Once
	err  error
	done chan struct{} // closed when it was made, or cannot be
}

func newLateLink() *lateLink { return &lateLink{done: make(chan struct{})} }

// settled reports whether it was made, or cannot be, which is the error.
func (l *lateLink) settled() (bool, error) {
	select {
	case <-l.done:
		return true, l.err
	default:
		return false, nil
	}
}

// firstSocket lets a call go on when the link is there.
//
// Security: nobody in the sandbox has a socket of the network before it: each call
// that makes one is held from its threshold on, whatever thread or program makes it,
// and so is each request for interfaces to another socket. What is decided rests on
// the call's number alone. Where the link cannot be made, or is not what was
// promised, there is never a socket.
func (w *watcher) firstSocket(n seccomp.Notification) seccomp.Verdict {
	switch settled, err := w.s.late.settled(); {
	case settled && err == nil:
		return seccomp.Go()
	case settled:
		return seccomp.Refuse(unix.ENETDOWN)
	}
	return w.apart(n, unix.ENOBUFS, func(context.Context) unix.Errno {
		if err := w.s.makeLink(); err != nil {
			w.report(n, "net.connect", "", seccomp.Name(n.Call))
			return unix.ENETDOWN
		}
		return 0
	})
}

// makeLink makes the link, once. Who comes meanwhile waits.
func (s *session) makeLink() error {
	s.late.once.Do(func() {
		defer close(s.late.done)
		s.late.err = s.attach.network(*s.plan.Link, networker(func(l *enforce.Ends) error {
			if err := onlyLink("/proc/"+itoa(s.pid), s.plan.Link.Tun); err != nil {
				return errors.Join(fmt.Errorf("read the link back: %w", err), l.Close())
			}
			return s.network.Linked(l)
		}))
		if s.late.err != nil && s.asking.ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "ambit: the sandbox gets no socket of the network: %v\n", s.late.err) // the program is told an errno
		}
	})
	return s.late.err
}

// networker is a function as an enforce.Networker.
type networker func(*enforce.Ends) error

func (f networker) Linked(l *enforce.Ends) error { return f(l) }

// lateLink reports whether the worker is to make the link.
func (a *attacher) lateLink() bool { return a.plan.Link != nil && a.plan.Link.Late }

// network has the worker make the link in the sandbox's network, takes its other
// end from it, and gives that to network.
//
// Security: the worker has its rights in the network namespace as it has them in
// the sandbox's mounts, and stays there. It keeps nothing of the link.
func (a *attacher) network(p enforce.LinkPlan, network enforce.Networker) error {
	ends, err := a.layLink(p)
	if err != nil {
		return err
	}
	defer func() {
		for _, fd := range ends { // those that nobody has taken
			_ = unix.Close(fd)
		}
	}()
	return row.TakeLink(&p, network, func() (int, error) {
		if len(ends) == 0 {
			return -1, errors.New("internal error: a link with fewer ends than it has")
		}
		fd := ends[0]
		ends = ends[1:]
		return fd, nil
	})
}

// layLink makes the link, and returns its other ends.
func (a *attacher) layLink(p enforce.LinkPlan) ([]int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.start(); err != nil {
		return nil, err
	}
	const what = "make the link"
	b := &builder{plan: a.plan, list: &namespace.List{}}
	l := b.list
	a.home(b)
	proc := l.NewSlot()
	l.Call(what, unix.SYS_OPENAT, namespace.CWD, l.Str("/proc"), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).Keep(proc)
	l.Call(what, unix.SYS_DUP3, namespace.Result(proc), num(linkProc), num(unix.O_CLOEXEC))
	l.Call("enter the sandbox's network", unix.SYS_SETNS, num(sandboxNet), num(unix.CLONE_NEWNET))
	count, err := row.LeaveLink(l, p, linkProc, handedOver)
	if err != nil {
		return nil, err
	}
	pid, id := new(uint64), l.NewSlot()
	l.Call(what, unix.SYS_GETPID).Keep(id)
	l.Store(what, pid, namespace.Result(id))
	if err := a.do(l); err != nil {
		return nil, err
	}
	ends, err := takeFrom(int(*pid), handedOver, count)
	left := &builder{plan: a.plan, list: &namespace.List{}}
	a.home(left)
	if err = errors.Join(err, a.do(left.list)); err != nil {
		for _, fd := range ends {
			_ = unix.Close(fd) // nobody has used it
		}
		return nil, err
	}
	a.atHome = true
	return ends, nil
}

// linkProc is where the worker has the host's /proc while it makes a link, behind
// its ends.
const linkProc = handedOver + 8

// takeFrom copies descriptors of a process, from a number on.
func takeFrom(pid, first, count int) (fds []int, err error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process) //nolint:errcheck // it only stands for a process
	for i := range count {
		fd, err := unix.PidfdGetfd(process, first+i, 0)
		if err != nil {
			return fds, fmt.Errorf("take descriptor %d: %w", first+i, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}
