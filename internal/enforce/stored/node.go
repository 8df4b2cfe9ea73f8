package stored

import "ambit.dev/ambit/internal/enforce/fuse"

// A node is a key or a folder that the kernel knows.
type node struct {
	id      uint64
	key     string // "": the root
	dir     bool
	lookups uint64 // that the kernel has not forgotten
}

type place struct {
	key string
	dir bool
}

// nodes are what the kernel knows.
type nodes struct {
	last uint64
	ids  map[uint64]*node
	at   map[place]*node
}

func newNodes() *nodes {
	root := &node{id: fuse.RootID, dir: true, lookups: 1}
	return &nodes{last: fuse.RootID, ids: map[uint64]*node{fuse.RootID: root}, at: map[place]*node{{"", true}: root}}
}

// enter counts a lookup; nil where too many are known.
func (t *nodes) enter(key string, dir bool) *node {
	at := place{key, dir}
	if n := t.at[at]; n != nil {
		n.lookups++
		return n
	}
	if len(t.ids) >= maxNodes {
		return nil
	}
	t.last++
	n := &node{id: t.last, key: key, dir: dir, lookups: 1}
	t.ids[n.id], t.at[at] = n, n
	return n
}

// forget is told what the kernel no longer knows.
func (t *nodes) forget(id, lookups uint64) {
	n := t.ids[id]
	if n == nil || n.id == fuse.RootID {
		return
	}
	if n.lookups -= min(lookups, n.lookups); n.lookups == 0 {
		delete(t.ids, n.id)
		delete(t.at, place{n.key, n.dir})
	}
}
