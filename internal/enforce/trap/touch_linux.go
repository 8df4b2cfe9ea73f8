package trap

import (
	"context"

	"golang.org/x/sys/unix"
)

// lastErrno is the largest that the kernel takes for the answer of a request.
const lastErrno = 511

// touch has a call wait for Config.Touch.
func (s *server) touch(r request, n *node, k Kind) {
	thread := s.trap.outside(r.pid)
	s.hold(r, func(ctx context.Context) answer { return s.trap.ask(ctx, n, k, thread) })
}

// outside is a thread of a request as the host's /proc has it.
func (t *Trap) outside(thread int) int {
	if t.config.PID == nil {
		return thread
	}
	return t.config.PID(thread)
}

// ask tells Config.Touch of the object that has the node's name now.
//
// Security: the object is looked up once, here; what is told of it and what can
// be mounted are the same descriptor. A name that has become something of
// another kind is not asked about: the kernel knows a file where a directory is
// to be mounted, so the name is forgotten and this call finds nothing.
func (t *Trap) ask(ctx context.Context, n *node, k Kind, thread int) answer {
	if t.config.Touch == nil || ctx.Err() != nil {
		return answer{errno: unix.EACCES}
	}
	p := n.path()
	fd, err := t.look(p, 0)
	if err != nil {
		a := answer{errno: absence(err)}
		if a.errno == unix.ENOENT {
			a.gone = n
		}
		return a
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	touched := Touched{Path: p, Kind: k, Object: fd}
	if err := unix.Fstat(fd, &touched.Stat); err != nil {
		return answer{errno: absence(err)}
	}
	if formOf(touched.Stat.Mode) != n.form {
		return answer{errno: unix.ENOENT, gone: n}
	}
	if k == Look && n.form == file && t.executing(thread) {
		touched.Kind = Run
	}
	touched.PID = t.process(thread)
	return answer{errno: settle(t.config.Touch(ctx, touched))}
}

// settle makes an errno of what Config.Touch returned.
//
// Security: ENOSYS on an open or an access would tell the kernel that the trap
// has no such operation, and it would never ask again, but allow. An error that
// the kernel does not take would leave the call waiting for ever.
func settle(e unix.Errno) unix.Errno {
	if e == 0 || e == unix.ENOSYS || e > lastErrno {
		return unix.EACCES
	}
	return e
}
