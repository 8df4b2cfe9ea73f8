package zone

import (
	"path"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// Bounds of what a program can make the server remember. The kernel keeps names
// until it needs the memory, which is the host's and not the server's.
const (
	maxNodes   = 1 << 18
	maxHandles = 1024
)

// A node is a name that the kernel knows, and what it led to.
type node struct {
	id       uint64
	parent   *node // nil: the root
	name     string
	lookups  uint64 // that the kernel has not forgotten
	children int    // nodes that name this one as their parent
	dev, ino uint64
	told     uint64 // the size that was told last
}

// path is relative to the root; "." is the root.
func (n *node) path() string {
	if n.parent == nil {
		return "."
	}
	return path.Join(n.parent.path(), n.name)
}

type place struct {
	parent uint64
	name   string
}

// nodes are the names that the kernel knows. They belong to the serving goroutine.
type nodes struct {
	last uint64
	ids  map[uint64]*node
	at   map[place]*node
}

func newNodes(dev, ino uint64) *nodes {
	root := &node{id: fuse.RootID, dev: dev, ino: ino, lookups: 1}
	return &nodes{last: fuse.RootID, ids: map[uint64]*node{fuse.RootID: root}, at: map[place]*node{}}
}

// enter counts a lookup of a name; nil where too many are known.
func (t *nodes) enter(parent *node, name string, dev, ino uint64) *node {
	at := place{parent.id, name}
	if n := t.at[at]; n != nil && n.dev == dev && n.ino == ino {
		n.lookups++
		return n
	}
	if len(t.ids) >= maxNodes {
		return nil
	}
	t.last++
	n := &node{id: t.last, parent: parent, name: name, lookups: 1, dev: dev, ino: ino}
	parent.children++
	t.ids[n.id], t.at[at] = n, n
	return n
}

// forget is told what the kernel no longer knows.
func (t *nodes) forget(id, lookups uint64) {
	n := t.ids[id]
	if n == nil || n.parent == nil {
		return
	}
	n.lookups -= min(lookups, n.lookups)
	for n.parent != nil && n.lookups == 0 && n.children == 0 {
		delete(t.ids, n.id)
		if at := (place{n.parent.id, n.name}); t.at[at] == n {
			delete(t.at, at)
		}
		n = n.parent
		n.children--
	}
}
