package microvm

import (
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// kept are the outermost things of the view beneath e that have a right or an object
// which e has not, or are changed in the machine: they stay visible, as mounts of their
// own. What is changed and has nothing that e has not becomes a part of it, so that it can
// be renamed and removed: those copies are moved. w.one is held.
func (w *shows) kept(e enforce.Entry, closed []place) (kept []enforce.Entry, moved []*tree) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var paths []string
	for p, on := range w.mounted {
		if p != e.Path && beneath(p, e.Path) && (on.Write || !e.Includes(on)) {
			paths = append(paths, p)
		}
	}
	for _, p := range enforce.Outermost(paths) {
		if t := w.movable(e, p, closed); t != nil {
			moved = append(moved, t)
		} else {
			kept = append(kept, w.mounted[p])
		}
	}
	return kept, moved
}

// movable is the copy at p, if it can become a part of e: nothing is mounted in it, and
// nothing that is closed in e lies there. w.one and w.mu are held.
func (w *shows) movable(e enforce.Entry, p string, closed []place) *tree {
	on, rel := w.mounted[p], relative(e.Path, p)
	inIt := func(o string) bool { return o != p && beneath(o, p) }
	there := func(c place) bool { return beneath(c.path, rel) || beneath(rel, c.path) }
	i := slices.IndexFunc(w.s.trees, func(t *tree) bool { return t.entry.Path == p })
	if !e.Write || !e.Includes(on) || i < 0 || slices.ContainsFunc(closed, there) {
		return nil
	}
	for o := range w.mounted {
		if inIt(o) {
			return nil
		}
	}
	if _, copied := w.s.trees[i].has["."]; !copied {
		return nil
	}
	return w.s.trees[i]
}

// orders tells the guest what becomes a part of something.
func orders(moved []*tree) (all []channel.Moved) {
	for _, m := range moved {
		all = append(all, channel.Moved{Tree: m.n, Path: m.entry.Path})
	}
	return all
}

// join takes note of copies that are a part of another one now, and come back with it.
// w.one is held.
func (w *shows) join(t *tree, moved []*tree) {
	for _, m := range moved {
		t.join(relative(t.entry.Path, m.entry.Path), m)
		w.s.trees = slices.DeleteFunc(w.s.trees, func(o *tree) bool { return o == m })
		m.close()
		w.unmounted(m.entry.Path)
	}
}

// unmounted takes note that nothing is mounted at a path any more.
func (w *shows) unmounted(p string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mounted, p)
	delete(w.came, p)
	delete(w.turn, p)
}

// join makes another tree what this one has at rel.
func (t *tree) join(rel string, m *tree) {
	t.kept = slices.DeleteFunc(t.kept, func(k place) bool { return k.path == rel })
	for _, k := range m.kept {
		k.path = path.Join(rel, k.path)
		t.kept = append(t.kept, k)
	}
	for was := range t.has {
		if beneath(was, rel) {
			delete(t.has, was)
		}
	}
	for was, o := range m.has {
		t.has[path.Join(rel, was)] = o
	}
}

// relative is a path beneath dir, from there.
func relative(dir, p string) string { return strings.TrimPrefix(p[len(dir):], "/") }
