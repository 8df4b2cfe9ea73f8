package trap

import (
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// request answers one request, or returns what it has to wait for. Its error ends the
// connection.
func (s *server) request(message []byte) (*held, error) {
	s.serving.Lock()
	defer s.serving.Unlock()
	err := s.serve(message)
	h := s.held
	s.held = nil
	return h, err
}

// serve is request; s.serving is held.
func (s *server) serve(message []byte) error {
	r, err := fuse.ParseRequest(message)
	if err != nil {
		return err
	}
	switch r.Op {
	case fuse.OpInit:
		flags := uint32(fuse.HandleKillpriv | fuse.CacheSymlinks)
		if !s.trap.config.Proxied { // a proxy lists what it does not know
			flags |= fuse.ListNodes
		}
		body, err := r.InitReply(flags, fuse.BlockSize) // no write is taken
		if err != nil {
			return err
		}
		s.reply(r, 0, body)
	case fuse.OpForget:
		if lookups, err := r.Number(); err == nil {
			s.trap.table.forget(r.Node, lookups)
		}
	case fuse.OpBatchForget:
		_ = r.Forgets(s.trap.table.forget) // the kernel waits for no answer
	case fuse.OpInterrupt:
		s.interrupt(r)
	case fuse.OpStatfs:
		s.reply(r, 0, fuse.StatfsReply())
	case fuse.OpReleasedir:
		if handle, err := r.Number(); err == nil {
			s.trap.open.drop(handle)
		}
		s.reply(r, 0, nil)
	case fuse.OpRelease, fuse.OpDestroy:
		s.reply(r, 0, nil)
	default:
		s.serveNode(r)
	}
	return nil
}

// serveNode answers what concerns a node.
func (s *server) serveNode(r fuse.Request) {
	n := s.trap.table.node(r.Node)
	if n == nil {
		s.reply(r, unix.ESTALE, nil)
		return
	}
	var err error
	switch r.Op {
	case fuse.OpLookup:
		err = s.lookup(r, n)
	case fuse.OpGetattr:
		s.getattr(r, n)
	case fuse.OpAccess:
		err = s.access(r, n)
	case fuse.OpOpen:
		err = s.open(r, n)
	case fuse.OpOpendir:
		err = s.opendir(r, n)
	case fuse.OpRead:
		err = s.read(r, n)
	case fuse.OpReaddir:
		err = s.readdir(r, n)
	case fuse.OpReaddirplus:
		err = s.listNodes(r, n)
	case fuse.OpReadlink:
		s.readlink(r, n)
	case fuse.OpSetattr, fuse.OpSymlink, fuse.OpMknod, fuse.OpMkdir, fuse.OpUnlink, fuse.OpRmdir, fuse.OpRename, fuse.OpRename2, fuse.OpLink, fuse.OpCreate, fuse.OpTmpfile,
		fuse.OpSetxattr, fuse.OpRemovexattr, fuse.OpWrite, fuse.OpFallocate:
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
func (s *server) reply(r fuse.Request, errno unix.Errno, body []byte) {
	_ = s.device.Reply(r.Unique, errno, body)
}

// refusal is the errno of every change.
func (s *server) refusal(n *node) unix.Errno {
	if o, ok := s.trap.tree.at(n); ok && o.skeleton {
		return unix.EROFS
	}
	return unix.EACCES
}

// own returns what the view itself tells of a node, if it does.
func (s *server) own(n *node) (own, bool) {
	o, ok := s.trap.tree.at(n)
	return o, ok && o.answered() && o.form == n.form
}

func (s *server) getattr(r fuse.Request, n *node) {
	t := s.trap
	o, ok := s.own(n)
	switch {
	case ok:
		a, valid := t.plain(n), uint64(0)
		a.Size, a.Sec, a.Mode = a.Size+uint64(len(o.content)), t.seconds, a.Mode&modeType|o.mode
		if o.skeleton {
			valid = nameValid
		}
		s.reply(r, 0, fuse.AttrReply(a, valid))
	case n.form == link || t.config.Proxied && n.form == directory:
		s.reply(r, 0, fuse.AttrReply(t.plain(n), 0))
	default:
		s.touch(r, n, Look)
	}
}

func (s *server) access(r fuse.Request, n *node) error {
	mask, err := r.Flags()
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

func (s *server) open(r fuse.Request, n *node) error {
	flags, err := r.Flags()
	if err != nil {
		return err
	}
	write := flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0
	_, ok := s.own(n)
	switch {
	case ok && write:
		s.reply(r, s.refusal(n), nil)
	case ok:
		s.reply(r, 0, fuse.OpenReply(0, fuse.KeepCache)) // the content never changes
	case write:
		s.touch(r, n, Write)
	case flags&fuse.OpenForExec != 0:
		s.touch(r, n, Run)
	default:
		s.touch(r, n, Read)
	}
	return nil
}

func (s *server) opendir(r fuse.Request, n *node) error {
	flags, err := r.Flags()
	if err != nil {
		return err
	}
	_, ok := s.own(n)
	switch {
	case ok:
		s.reply(r, 0, fuse.OpenReply(0, 0))
	case s.trap.config.Proxied && flags&unix.O_NOFOLLOW != 0:
		s.touch(r, n, Pass)
	default:
		s.touch(r, n, List)
	}
	return nil
}

// read answers from the skeleton's own files; nothing else can be opened.
func (s *server) read(r fuse.Request, n *node) error {
	offset, size, err := r.Window()
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

func (s *server) readdir(r fuse.Request, n *node) error {
	offset, size, err := r.Window()
	if err != nil {
		return err
	}
	handle, err := r.Number()
	if err != nil {
		return err
	}
	size = min(size, fuse.BufferSize)
	if handle != 0 {
		s.reply(r, 0, s.trap.open.page(handle, offset, size))
		return nil
	}
	s.reply(r, 0, s.trap.tree.list(n, offset, size))
	return nil
}

// readlink tells where a link leads: the kernel walks there and asks there.
func (s *server) readlink(r fuse.Request, n *node) {
	if n.form != link {
		s.reply(r, unix.EINVAL, nil)
		return
	}
	if o, ok := s.trap.tree.at(n); s.trap.config.Linked != nil && !(ok && o.skeleton) {
		s.trap.config.Linked(n.path())
	}
	s.reply(r, 0, []byte(n.target))
}
