package trap

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

const (
	// nameValid is for how long the kernel keeps a name: long, since a name that
	// is gone or is something else is found at the next touch.
	nameValid = 3600
	// linkValid is for how long it keeps a link of the host: nobody is asked about
	// a link, so only a lookup finds that it leads elsewhere now. One that was
	// something else before, or led elsewhere, is not kept.
	linkValid = 1
	// quietValid is for how long it keeps that a quiet name is not there. Names
	// that are only absent are not kept at all: one that the host, or a grant,
	// makes a moment later must be found.
	quietValid = 1
)

// lookup answers whether a name is there, and what it is. The kernel holds the
// folder's lock: nobody is asked and nothing is waited for that could wait for
// the view.
func (s *server) lookup(r fuse.Request, parent *node) error {
	name, err := r.Name()
	if err != nil {
		return err
	}
	s.prune()
	t := s.trap
	p := path.Join(parent.path(), name)
	if o, ok := t.tree.child(parent, name); ok && o.form != unknown {
		s.entry(r, t.table.enter(parent, name, o.form, o.link), nameValid)
		return nil
	}
	if t.isQuiet(p) {
		s.reply(r, 0, fuse.EntryReply(fuse.Attr{}, quietValid))
		return nil
	}
	switch f, errno := t.formAt(s.ctx, p, true); {
	case f == link, errors.Is(errno, unix.EAGAIN):
		s.hold(r, func(ctx context.Context) answer { return t.found(ctx, parent, name, p) })
	case errno != 0:
		s.reply(r, errno, nil)
	default:
		s.entry(r, t.table.enter(parent, name, f, ""), nameValid)
	}
	return nil
}

// entry answers a lookup; one that nobody takes does not count.
func (s *server) entry(r fuse.Request, n *node, seconds uint64) {
	if s.device.Reply(r.Unique, 0, s.trap.entryOf(n, seconds)) != nil {
		s.trap.table.forget(n.id, 1)
	}
}

// entryOf tells of a name nothing but what it is, and of a link where it leads.
func (t *Trap) entryOf(n *node, seconds uint64) []byte {
	return fuse.EntryReply(t.plain(n), seconds)
}

func (t *Trap) plain(n *node) fuse.Attr {
	return fuse.Attr{Ino: n.id, Size: uint64(len(n.target)), Mode: n.form.mode(), UID: t.config.UID, GID: t.config.GID}
}

// isQuiet reports whether a path is quiet or lies beneath one that is.
func (t *Trap) isQuiet(p string) bool {
	for ; p != "/"; p = path.Dir(p) {
		if t.quiet[p] {
			return true
		}
	}
	return t.quiet["/"]
}

// found is the part of lookup that may wait for the host's file systems.
func (t *Trap) found(ctx context.Context, parent *node, name, p string) answer {
	f, errno := t.formAt(ctx, p, false)
	if errno != 0 {
		return answer{errno: errno}
	}
	var target string
	seconds := uint64(nameValid)
	if f == link {
		if target, errno = t.target(ctx, p); errno != 0 {
			return answer{errno: errno}
		}
		seconds = linkValid
	}
	n := t.table.enter(parent, name, f, target)
	if f == link && !t.table.steady(n) {
		seconds = 0 // while the kernel keeps it, nobody finds that it is something else again
	}
	return answer{body: t.entryOf(n, seconds), entered: n}
}
