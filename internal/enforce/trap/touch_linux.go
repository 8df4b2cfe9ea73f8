package trap

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// lastErrno is the largest that the kernel takes for the answer of a request.
const lastErrno = 511

// touch has a call wait for Config.Touch.
func (s *server) touch(r fuse.Request, n *node, k Kind) {
	op, pid := r.Op, r.PID
	s.hold(r, func(ctx context.Context) answer { return s.trap.ask(ctx, op, s.trap.outside(pid), n, k) })
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
func (t *Trap) ask(ctx context.Context, op fuse.Operation, thread int, n *node, k Kind) answer {
	if t.config.Touch == nil || ctx.Err() != nil {
		return answer{errno: unix.EACCES}
	}
	if k != Pass { // of what lies on the way, whoever mounts on it has told before
		t.table.touch(n)
	}
	touched := Touched{Path: n.path(), Kind: k, PID: t.process(thread)}
	if e := t.meet(ctx, &touched); e != 0 {
		return t.gone(n, e)
	}
	if touched.Object >= 0 {
		defer unix.Close(touched.Object) //nolint:errcheck // nothing was written
	}
	if formOf(touched.Stat.Mode) != n.form {
		t.table.changed(n)
		return t.gone(n, unix.ENOENT)
	}
	if t.config.Proxied {
		return t.proxied(k, n, touched.Object, t.config.Touch(ctx, touched))
	}
	switch call := t.call(thread); {
	case call == unix.SYS_FILE_SETATTR:
		return answer{errno: unix.EACCES} // it opens with the object's lock held, which a mount would wait for
	case op == fuse.OpGetattr && n.form == file && (call == unix.SYS_EXECVE || call == unix.SYS_EXECVEAT):
		touched.Kind = Run // the kernel looks at a file before it executes it, by a request like that of a stat
	}
	return answer{errno: settle(t.config.Touch(ctx, touched))}
}

// meet finds the object of a touch.
func (t *Trap) meet(ctx context.Context, o *Touched) unix.Errno {
	if t.config.Look != nil {
		mode, _, errno := t.config.Look(ctx, o.Path)
		o.Object, o.Stat.Mode = -1, mode
		return errno
	}
	fd, err := look(t.config.Host, o.Path, 0)
	if err != nil {
		return absence(err)
	}
	if err := unix.Fstat(fd, &o.Stat); err != nil {
		return absence(errors.Join(err, unix.Close(fd)))
	}
	o.Object = fd
	return 0
}

// gone has the kernel forget a name that is not there. What is mounted on a name
// stays, whatever becomes of the name on the host: forgetting would detach it.
func (t *Trap) gone(n *node, e unix.Errno) answer {
	if o, ok := t.tree.at(n); e != unix.ENOENT || ok && o.mounted {
		return answer{errno: e}
	}
	return answer{errno: e, gone: n}
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
