package zone

import (
	"path"

	"golang.org/x/sys/unix"
)

// denied is what keeps a node closed; nil where nothing does.
//
// Security: by its names, whatever lies there by now, and by what was decided about,
// whatever its name is by now. No name of the zone can be moved from inside.
func (z *Zone) denied(n *node) (found *Denied) {
	for i := range z.config.Denied {
		if d := &z.config.Denied[i]; d.covers(n) {
			if !d.Read {
				return d
			}
			found = d
		}
	}
	return found
}

func (d *Denied) covers(n *node) bool {
	for p := n.path(); p != "."; p = path.Dir(p) {
		if p == d.Path {
			return true
		}
	}
	for ; n.parent != nil; n = n.parent {
		if d.Ino != 0 && n.dev == d.Dev && n.ino == d.Ino {
			return true
		}
	}
	return false
}

// hidden reports whether nothing of a node is to be told but its name.
func (z *Zone) hidden(n *node) bool {
	d := z.denied(n)
	return d != nil && !d.Read
}

// may refuses to open what is denied, for these flags of the host's open.
func (z *Zone) may(n *node, flags int) error {
	if d := z.denied(n); d != nil && (!d.Read || flags&unix.O_ACCMODE != unix.O_RDONLY) {
		return unix.EACCES
	}
	return nil
}
