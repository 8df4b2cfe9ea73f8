package trap

import (
	"time"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// maxNodes is how many names may be known before some are given back. The kernel
// keeps a name until it needs the memory, which is the host's and not the
// server's, so a program that knows many names could fill the server.
const maxNodes = 1 << 16

// prune starts to give names back when there are too many.
func (s *server) prune() {
	size, most := s.trap.table.size(), s.trap.most
	if size < most {
		s.pruneAt = most
	}
	if size < s.pruneAt || !s.pruning.CompareAndSwap(false, true) {
		return
	}
	// Where the kernel cannot forget (names that are open), do not try each time.
	s.pruneAt = size + most/8
	s.waiting.all.Go(func() {
		defer s.pruning.Store(false)
		s.giveBack(most)
	})
}

// giveBack has the kernel forget names that were looked up and never touched,
// until there are few enough or it has forgotten all that it can. The next
// lookup brings a name back.
func (s *server) giveBack(most int) {
	for failed := 0; failed < 3 && s.ctx.Err() == nil; {
		if s.trap.table.size() < most-most/8 {
			return
		}
		known := false
		for _, n := range s.trap.table.idle(most / 4) {
			if _, ok := s.trap.tree.at(n); !ok && s.device.Write(fuse.ForgetName(n.parent.id, n.name)) == nil {
				known = true
			}
		}
		if known {
			failed = 0
			continue
		}
		failed++
		time.Sleep(10 * time.Millisecond) // it tells of what it forgot a moment later
	}
}
