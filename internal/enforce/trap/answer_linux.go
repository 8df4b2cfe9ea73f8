package trap

import "golang.org/x/sys/unix"

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
		a, valid := t.plain(n), uint64(0)
		a.size, a.sec, a.mode = a.size+uint64(len(o.content)), t.seconds, a.mode&modeType|o.mode
		if o.skeleton {
			valid = nameValid
		}
		s.reply(r, 0, attrReply(a, valid))
	case n.form == link:
		s.reply(r, 0, attrReply(t.plain(n), 0))
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
	if n.form != link {
		s.reply(r, unix.EINVAL, nil)
		return
	}
	if o, ok := s.trap.tree.at(n); s.trap.config.Linked != nil && !(ok && o.skeleton) {
		s.trap.config.Linked(n.path())
	}
	s.reply(r, 0, []byte(n.target))
}
