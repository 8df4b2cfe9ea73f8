package trap

// maxNodes is how many names may be known before some are given back. The kernel
// keeps a name until it needs the memory, which is the host's and not the
// server's, so a program that knows many names could fill the server.
const maxNodes = 1 << 16

// prune has the kernel forget names that were looked up and never touched, when
// there are too many; the next lookup brings them back.
func (s *server) prune() {
	size := s.trap.table.size()
	if size < maxNodes {
		s.pruneAt = maxNodes
	}
	if size < s.pruneAt || !s.pruning.CompareAndSwap(false, true) {
		return
	}
	// Where the kernel cannot forget (names that are open), do not try each time.
	s.pruneAt = size + maxNodes/8
	s.waiting.all.Go(func() {
		defer s.pruning.Store(false)
		for _, n := range s.trap.table.idle(maxNodes / 4) {
			if _, ok := s.trap.tree.at(n); !ok && s.ctx.Err() == nil {
				_ = s.device.write(forgetName(n.parent.id, n.name))
			}
		}
	})
}
