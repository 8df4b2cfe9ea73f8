package trap

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

const (
	// nameValid is for how long the kernel keeps a name: long, since a name that
	// is gone or is something else is found at the next touch.
	nameValid = 3600
	// quietValid is for how long it keeps that a quiet name is not there. Names
	// that are only absent are not kept at all: one that the host, or a grant,
	// makes a moment later must be found.
	quietValid = 1
)

// serve answers one request or hands it to a goroutine. Its error ends the
// connection.
func (s *server) serve(message []byte) error {
	r, err := parseRequest(message)
	if err != nil {
		return err
	}
	switch r.op {
	case opInit:
		body, err := r.initReply()
		if err != nil {
			return err
		}
		s.reply(r, 0, body)
	case opForget:
		if lookups, err := r.number(); err == nil {
			s.trap.table.forget(r.node, lookups)
		}
	case opBatchForget:
		_ = r.forgets(s.trap.table.forget) // the kernel waits for no answer
	case opInterrupt:
		s.interrupt(r)
	case opStatfs:
		s.reply(r, 0, statfsReply())
	case opRelease, opReleasedir, opDestroy:
		s.reply(r, 0, nil)
	default:
		s.serveNode(r)
	}
	return nil
}

// serveNode answers what concerns a node.
func (s *server) serveNode(r request) {
	n := s.trap.table.node(r.node)
	if n == nil {
		s.reply(r, unix.ESTALE, nil)
		return
	}
	var err error
	switch r.op {
	case opLookup:
		err = s.lookup(r, n)
	case opGetattr:
		s.getattr(r, n)
	case opAccess:
		err = s.access(r, n)
	case opOpen:
		err = s.open(r, n)
	case opOpendir:
		s.opendir(r, n)
	case opRead:
		err = s.read(r, n)
	case opReaddir:
		err = s.readdir(r, n)
	case opReadlink:
		s.readlink(r, n)
	case opSetattr, opSymlink, opMknod, opMkdir, opUnlink, opRmdir, opRename, opRename2, opLink, opCreate, opTmpfile,
		opSetxattr, opRemovexattr, opWrite, opFallocate:
		// The kernel holds locks here that a mount would need: it is too late to ask.
		s.reply(r, s.refusal(n), nil)
	default:
		// Extended attributes, statx, ioctl, poll and what is to come: the kernel
		// does without. Another errno would make plain programs fail.
		s.reply(r, unix.ENOSYS, nil)
	}
	if err != nil {
		s.reply(r, unix.EINVAL, nil)
	}
}

// reply ends a request at once. An error says that nobody waits for it, or that
// the connection is over, which the next read finds.
func (s *server) reply(r request, errno unix.Errno, body []byte) {
	_ = s.device.reply(r.unique, errno, body)
}

// refusal is the errno of every change.
func (s *server) refusal(n *node) unix.Errno {
	if o, ok := s.trap.tree.at(n); ok && o.skeleton {
		return unix.EROFS
	}
	return unix.EACCES
}

// lookup answers whether a name is there, and what it is. The kernel holds the
// folder's lock: nobody is asked and nothing is waited for that could wait for
// the view.
func (s *server) lookup(r request, parent *node) error {
	name, err := r.name()
	if err != nil {
		return err
	}
	t := s.trap
	p := path.Join(parent.path(), name)
	quiet := parent.quiet || t.quiet[p]
	if o, ok := t.tree.child(parent, name); ok && o.form != unknown {
		s.entry(r, t.table.enter(parent, name, o.form, quiet))
		return nil
	}
	if quiet {
		s.reply(r, 0, entryReply(attr{}, quietValid))
		return nil
	}
	switch f, errno := t.formAt(p, true); {
	case errors.Is(errno, unix.EAGAIN):
		s.hold(r, func(context.Context, int) answer { return t.found(parent, name, p) })
	case errno != 0:
		s.reply(r, errno, nil)
	default:
		s.entry(r, t.table.enter(parent, name, f, false))
	}
	return nil
}

// entry answers a lookup; one that nobody takes does not count.
func (s *server) entry(r request, n *node) {
	if s.device.reply(r.unique, 0, s.trap.entryOf(n)) != nil {
		s.trap.table.forget(n.id, 1)
	}
	s.prune()
}

// entryOf tells of a name nothing but what it is.
func (t *Trap) entryOf(n *node) []byte {
	return entryReply(attr{ino: n.id, mode: n.form.mode(), uid: t.config.UID, gid: t.config.GID}, nameValid)
}

// found is the part of lookup that may wait for the host's file systems.
func (t *Trap) found(parent *node, name, p string) answer {
	f, errno := t.formAt(p, false)
	if errno != 0 {
		return answer{errno: errno}
	}
	n := t.table.enter(parent, name, f, false)
	return answer{body: t.entryOf(n), entered: n}
}

// own returns what the view itself tells of a node, if it does.
func (s *server) own(n *node) (own, bool) {
	o, ok := s.trap.tree.at(n)
	return o, ok && o.answered() && o.form == n.form
}

func (s *server) getattr(r request, n *node) {
	t := s.trap
	o, ok := s.own(n)
	switch {
	case ok:
		size, valid := len(o.content), uint64(0)
		if o.form == link {
			size = len(o.link)
		}
		if o.skeleton {
			valid = nameValid
		}
		a := attr{ino: n.id, size: uint64(size), sec: t.seconds, mode: n.form.mode()&modeType | o.mode, uid: t.config.UID, gid: t.config.GID}
		s.reply(r, 0, attrReply(a, valid))
	case n.form == link:
		s.hold(r, func(context.Context, int) answer {
			target, errno := t.target(n.path())
			a := attr{ino: n.id, size: uint64(len(target)), mode: link.mode(), uid: t.config.UID, gid: t.config.GID}
			return answer{errno: errno, body: attrReply(a, 0)}
		})
	default:
		s.touch(r, n, Look)
	}
}

func (s *server) access(r request, n *node) error {
	mask, err := r.flags()
	if err != nil {
		return err
	}
	switch o, ok := s.own(n); {
	case !ok:
		s.touch(r, n, Look)
	case mask&unix.W_OK != 0:
		s.reply(r, s.refusal(n), nil)
	case mask&unix.X_OK != 0 && o.mode&0o111 == 0, mask&unix.R_OK != 0 && o.mode&0o444 == 0:
		s.reply(r, unix.EACCES, nil)
	default:
		s.reply(r, 0, nil)
	}
	return nil
}

func (s *server) open(r request, n *node) error {
	flags, err := r.flags()
	if err != nil {
		return err
	}
	write := flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0
	_, ok := s.own(n)
	switch {
	case ok && write:
		s.reply(r, s.refusal(n), nil)
	case ok:
		s.reply(r, 0, openReply(keepCache)) // the content never changes
	case write:
		s.touch(r, n, Write)
	case flags&openForExec != 0:
		s.touch(r, n, Run)
	default:
		s.touch(r, n, Read)
	}
	return nil
}

func (s *server) opendir(r request, n *node) {
	if _, ok := s.own(n); ok {
		s.reply(r, 0, openReply(0))
		return
	}
	s.touch(r, n, List)
}

// read answers from the skeleton's own files; nothing else can be opened.
func (s *server) read(r request, n *node) error {
	offset, size, err := r.window()
	if err != nil {
		return err
	}
	o, ok := s.own(n)
	if !ok || n.form != file {
		s.reply(r, unix.EACCES, nil)
		return nil
	}
	rest := o.content[min(offset, uint64(len(o.content))):]
	s.reply(r, 0, rest[:min(size, len(rest))])
	return nil
}

func (s *server) readdir(r request, n *node) error {
	offset, size, err := r.window()
	if err != nil {
		return err
	}
	s.reply(r, 0, s.trap.tree.list(n, offset, min(size, bufferSize)))
	return nil
}

// readlink tells where a link leads: the kernel walks there and asks there.
func (s *server) readlink(r request, n *node) {
	if o, ok := s.own(n); ok {
		s.reply(r, 0, []byte(o.link))
		return
	}
	s.hold(r, func(context.Context, int) answer {
		target, errno := s.trap.target(n.path())
		return answer{errno: errno, body: target}
	})
}
