package trap

import "ambit.dev/ambit/internal/enforce/fuse"

// listNodes answers a listing. Where the kernel knows no name yet it tells what lookups of
// the names would, so that whoever builds the view makes one request for all of them.
//
// Security: else it tells names alone. The kernel takes a listing in beside lookups: a
// name that it knew as something else it would forget, with what is mounted on it.
func (s *server) listNodes(r fuse.Request, n *node) error {
	offset, size, err := r.Window()
	if err != nil {
		return err
	}
	t, room := s.trap, min(size, fuse.BufferSize)
	tell := t.table.size() == 1 // the root
	var b []byte
	var told []*node
	for _, o := range t.tree.page(n, offset, room) {
		var entry []byte
		if tell && o.cookie > dots && o.form != unknown {
			child := t.table.enter(n, o.name, o.form, o.link)
			told, entry = append(told, child), t.entryOf(child, nameValid)
		}
		var fits bool
		if b, fits = fuse.AppendEntry(b, room, entry, o.name, o.cookie, o.form.mode()); fits {
			continue
		}
		if entry != nil {
			t.table.forget(told[len(told)-1].id, 1)
			told = told[:len(told)-1]
		}
		break
	}
	if s.device.Reply(r.Unique, 0, b) != nil { // nobody takes it
		for _, n := range told {
			t.table.forget(n.id, 1)
		}
	}
	return nil
}
