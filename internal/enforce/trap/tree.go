package trap

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// An own is one name of the view's own: of the skeleton, mounted on, or on the
// way to such a name.
type own struct {
	form     form
	mode     uint32 // permission bits
	link     string
	content  []byte
	skeleton bool // one of Config.Names: it never changes
	mounted  bool // something is mounted on it
	transit  bool // other names of the view lie beneath it

	parent   *own
	name     string
	children map[string]*own
	listed   []*own // children in the order of their cookies
	cookie   uint64 // place among the parent's children, never used twice
	cookies  uint64 // the last one given to a child
}

// answered reports whether the view itself tells of this name. What is mounted
// on hides the trap, so whoever still comes by set out before, and must walk
// again.
func (o *own) answered() bool { return o.skeleton || o.transit && !o.mounted }

// A tree is all that the view has of its own.
type tree struct {
	mu   sync.Mutex
	root *own // guarded by mu, with all that hangs on it
}

func newTree(names []Name) (*tree, error) {
	t := &tree{root: &own{form: directory, mode: 0o755, skeleton: true, transit: true}}
	for _, n := range names {
		if err := t.add(n); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tree) add(n Name) error {
	if !path.IsAbs(n.Path) || path.Clean(n.Path) != n.Path {
		return fmt.Errorf("name %q of the view: not an absolute, clean path", n.Path)
	}
	o := t.grow(n.Path)
	if len(o.children) > 0 && !n.Dir {
		return fmt.Errorf("name %q of the view: not a directory, and has names beneath it", n.Path)
	}
	for p := o.parent; p != nil; p = p.parent {
		if p.form != directory {
			return fmt.Errorf("name %q of the view: lies beneath what is no directory", n.Path)
		}
	}
	o.skeleton, o.mode = true, n.Mode&0o777
	switch {
	case n.Dir:
		o.form = directory
	case n.Link != "":
		o.form, o.link = link, n.Link
	default:
		o.form, o.content = file, n.Content
	}
	if o.mode == 0 {
		o.mode = o.form.mode() & 0o777
	}
	return nil
}

// components of an absolute, clean path.
func components(p string) []string {
	if p == "/" {
		return nil
	}
	return strings.Split(p[1:], "/")
}

// grow returns the name at a path, made with the directories above it where
// they are missing.
func (t *tree) grow(p string) *own {
	o := t.root
	for _, name := range components(p) {
		child := o.children[name]
		if child == nil {
			o.cookies++
			child = &own{mode: 0o755, parent: o, name: name, cookie: o.cookies}
			if o.children == nil {
				o.children = map[string]*own{}
			}
			o.children[name] = child
			o.listed = append(o.listed, child)
			o.transit = true
			if o.form == unknown {
				o.form = directory
			}
		}
		o = child
	}
	return o
}

// prune takes away a name that is nothing any more, and those above it that
// led nowhere else.
func (t *tree) prune(o *own) {
	for o.parent != nil && !o.skeleton && !o.mounted && !o.transit {
		up := o.parent
		delete(up.children, o.name)
		i := up.after(o.cookie - 1)
		up.listed = slices.Delete(up.listed, i, i+1)
		up.transit = len(up.children) > 0 || up.parent == nil
		o = up
	}
}

// after is where the children begin whose cookies are larger.
func (o *own) after(cookie uint64) int {
	return sort.Search(len(o.listed), func(i int) bool { return o.listed[i].cookie > cookie })
}

// find returns the name of a node, or nil. t.mu is held.
func (t *tree) find(n *node) *own {
	if n.parent == nil {
		return t.root
	}
	if up := t.find(n.parent); up != nil {
		return up.children[n.name]
	}
	return nil
}

// at returns a copy of what the view has at a node, without what is beneath it.
func (t *tree) at(n *node) (own, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return glimpse(t.find(n))
}

// child is at, for a name beneath a node.
func (t *tree) child(n *node, name string) (own, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if up := t.find(n); up != nil {
		return glimpse(up.children[name])
	}
	return own{}, false
}

func glimpse(o *own) (own, bool) {
	if o == nil {
		return own{}, false
	}
	seen := *o
	seen.parent, seen.children, seen.listed = nil, nil, nil
	return seen, true
}

// mount notes that something of that form is mounted at a path.
func (t *tree) mount(p string, f form) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.grow(p)
	o.mounted = true
	if !o.skeleton && !o.transit {
		o.form = f
	}
}

// unmount notes that nothing is.
func (t *tree) unmount(p string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.root
	for _, name := range components(p) {
		if o = o.children[name]; o == nil {
			return
		}
	}
	o.mounted = false
	t.prune(o)
}

// dots are the two names that every directory has, with the cookies 1 and 2; a
// child's is larger and stays the same while others come and go.
const dots = 2

// page returns copies of names of a directory, from a cookie on: no more than fill a
// page of so many bytes.
func (t *tree) page(n *node, cookie uint64, room int) (names []own) {
	for ; cookie < dots; cookie++ {
		names = append(names, own{form: directory, name: ".."[:cookie+1], cookie: cookie + 1})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.find(n)
	if o == nil {
		return names
	}
	found := o.listed[o.after(cookie-dots):]
	for _, child := range found[:min(len(found), room/fuse.LeastDirent)] {
		seen, _ := glimpse(child)
		seen.cookie += dots
		names = append(names, seen)
	}
	return names
}

// list returns a page of a directory, from a cookie on.
func (t *tree) list(n *node, cookie uint64, room int) (b []byte) {
	var fits bool
	for _, o := range t.page(n, cookie, room) {
		if b, fits = fuse.AppendDirent(b, room, o.name, o.cookie, o.form.mode()); !fits {
			break
		}
	}
	return b
}
