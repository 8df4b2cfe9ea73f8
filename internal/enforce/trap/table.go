package trap

import (
	"strings"
	"sync"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// A form is what the kernel is told that a name is. Everything of the host that
// is neither a directory nor a link is told as a file: sockets, pipes and
// devices of a trap would be opened by the kernel without a question.
type form uint8

const (
	unknown form = iota
	directory
	file
	link
)

// The type bits of a mode (inode(7)).
const (
	modeType      = 0o170000
	modeDirectory = 0o040000
	modeFile      = 0o100000
	modeLink      = 0o120000
)

func formOf(mode uint32) form {
	switch mode & modeType {
	case modeDirectory:
		return directory
	case modeLink:
		return link
	default:
		return file
	}
}

// mode is what a name of that form shows when nothing else may be told.
func (f form) mode() uint32 {
	switch f {
	case directory:
		return modeDirectory | 0o755
	case link:
		return modeLink | 0o777
	case file:
		return modeFile | 0o644
	default:
		return 0
	}
}

// A node is a name that the kernel knows: a place in the tree and not an
// object. What lies there is looked up anew whenever it matters, so a node
// holds nothing of the host.
type node struct {
	id     uint64
	parent *node // nil for the root
	name   string
	form   form
	target string // of a link

	lookups  uint64 // how often the kernel was told; guarded by table.mu
	children int    // nodes in the table that have this parent; guarded by table.mu
	touched  bool   // something may be mounted on it; guarded by table.mu
}

// path is absolute and clean.
func (n *node) path() string {
	if n.parent == nil {
		return "/"
	}
	names := n.names()
	return "/" + strings.Join(names, "/")
}

// names are the components of the path.
func (n *node) names() []string {
	if n.parent == nil {
		return nil
	}
	return append(n.parent.names(), n.name)
}

type place struct {
	parent uint64
	name   string
}

// A table holds the nodes that the kernel knows, and those above them. An id
// is never used twice.
type table struct {
	mu       sync.Mutex
	next     uint64           // guarded by mu
	ids      map[uint64]*node // guarded by mu
	at       map[place]*node  // guarded by mu
	unsteady map[place]bool   // names that have become something else; guarded by mu
}

func newTable() *table {
	root := &node{id: fuse.RootID, form: directory}
	return &table{next: fuse.RootID + 1, ids: map[uint64]*node{fuse.RootID: root}, at: map[place]*node{}, unsteady: map[place]bool{}}
}

// node returns nil for an id that is not in the table.
func (t *table) node(id uint64) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ids[id]
}

// enter counts one lookup of a name, which gets a new node where it has none,
// or where it became something else: the kernel must not find a directory
// behind a file's number, and keeps where a link leads.
func (t *table) enter(parent *node, name string, f form, target string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := place{parent.id, name}
	n := t.at[at]
	if n != nil && (n.form != f || n.target != target) {
		t.change(at)
		n = nil
	}
	if n == nil {
		n = &node{id: t.next, parent: parent, name: name, form: f, target: target}
		t.next++
		t.ids[n.id], t.at[at] = n, n
		parent.children++
	}
	n.lookups++
	return n
}

// maxUnsteady bounds the names that are remembered to have changed; one that is
// forgotten is kept by the kernel a little longer than it should.
const maxUnsteady = 1024

// change notes that a name has become something else. t.mu is held.
func (t *table) change(at place) {
	if len(t.unsteady) >= maxUnsteady {
		clear(t.unsteady)
	}
	t.unsteady[at] = true
}

// changed notes that the name of a node is something else by now.
func (t *table) changed(n *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.parent != nil {
		t.change(place{n.parent.id, n.name})
	}
}

// steady reports whether a name has not become something else of late.
func (t *table) steady(n *node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.parent == nil || !t.unsteady[place{n.parent.id, n.name}]
}

// forget takes back lookups. A node without any, and without nodes beneath it,
// is gone.
func (t *table) forget(id, lookups uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.ids[id]
	if n == nil {
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

// touch notes that a node is about to be asked about.
func (t *table) touch(n *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.touched = true
}

// idle returns up to a number of nodes that were only looked up, with no node
// beneath them.
func (t *table) idle(most int) []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	var idle []*node
	for _, n := range t.ids {
		if len(idle) == most {
			break
		}
		if n.parent != nil && n.children == 0 && !n.touched {
			idle = append(idle, n)
		}
	}
	return idle
}

func (t *table) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ids)
}
