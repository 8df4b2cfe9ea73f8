package microvm

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// shows is what the view of a running machine has, and how more comes into it.
type shows struct {
	s     *session
	quiet []string

	one sync.Mutex // what is shown, one after the other

	mu      sync.RWMutex             // never held while something is shown
	mounted map[string]enforce.Entry // guarded by mu; by path: what is mounted
	came    map[string]bool          // guarded by mu; of mounted, what was shown since the start
}

func newShows(s *session) *shows {
	w := &shows{s: s, quiet: s.plan.Quiet, mounted: map[string]enforce.Entry{}, came: map[string]bool{}}
	for _, e := range s.plan.View {
		if !e.IsName() && e.Op != enforce.OpTrap {
			w.mounted[e.Path] = e
		}
	}
	return w
}

// own reports whether a path is the view's own: it was mounted at the start or is
// quiet, so that nobody is asked about it.
func (w *shows) own(p string) bool {
	on, ok := w.at(p)
	w.mu.RLock()
	defer w.mu.RUnlock()
	return ok && !w.came[on.Path] || !ok && slices.ContainsFunc(w.quiet, func(q string) bool { return beneath(p, q) })
}

// gives reports whether what was touched lies in what was shown since the start, with
// the right that is wanted.
func (w *shows) gives(t enforce.Touch) bool {
	on, ok := w.at(t.Path)
	w.mu.RLock()
	defer w.mu.RUnlock()
	return ok && w.came[on.Path] && (t.Kind != enforce.TouchWrite || on.Write) && (t.Kind != enforce.TouchRun || on.Exec)
}

// at is what a path of the view lies on; false: it lies on the trap.
func (w *shows) at(p string) (enforce.Entry, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return enforce.MountAt(w.mounted, p)
}

// show copies entries into the machine and shows them there: binds, each followed by
// the masks and pins that lie in it.
//
// Security: what is copied is the object whose device and inode the entry names,
// opened without following links, without what is masked in it. On an error the view
// is as it was, but for entries that stand before the one that failed.
func (w *shows) show(entries []enforce.Entry) error {
	w.one.Lock()
	defer w.one.Unlock()
	w.s.bringing.Lock() // a machine that is paused takes nothing
	defer w.s.bringing.Unlock()
	return enforce.ShowTrees(entries, w.showTree)
}

func (w *shows) showTree(e enforce.Entry, parts []enforce.Entry) (err error) {
	switch on, ok := w.at(e.Path); {
	case e.Op != enforce.OpBind || e.Device || !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || e.Path == "/":
		return fmt.Errorf("internal error: %s at %q cannot be shown", e.Op, e.Path)
	case ok && on.Includes(e):
		return nil
	case ok && on.Write:
		return fmt.Errorf("the machine changes what lies in %q, and has no second copy of a part of it: grant that before it begins", on.Path)
	}
	kept := w.kept(e)
	places, err := closed(e, parts)
	if err != nil {
		return err
	}
	for _, k := range kept {
		places = append(places, place{path: strings.TrimPrefix(k.Path[len(e.Path):], "/"), dir: k.Dir || k.Op != enforce.OpBind})
	}
	t, err := openTree(w.s.next, e, places)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil || !e.Write {
			t.close()
		}
	}()
	w.s.next++
	if err := w.s.send(t); err != nil {
		return err
	}
	order := &channel.Shown{Path: e.Path, Dir: e.Dir, Write: e.Write, Exec: e.Exec}
	for _, k := range kept {
		order.Kept = append(order.Kept, k.Path)
	}
	if _, err := w.s.channel.Ask(channel.Request{Op: channel.OpShow, Tree: t.n, Show: order}, soon(answerIn)); err != nil {
		return err
	}
	if e.Write {
		w.s.trees = append(w.s.trees, t) // the session closes it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounted[e.Path], w.came[e.Path] = e, true
	return nil
}

// closed are the places in a tree that are masked.
func closed(e enforce.Entry, parts []enforce.Entry) (places []place, err error) {
	for _, p := range parts {
		switch {
		case p.Pin: // it keeps a mask in its place, and there is nothing behind one here
		case p.Op == enforce.OpMask:
			places = append(places, place{path: strings.TrimPrefix(p.Path[len(e.Path):], "/"), dir: p.Dir, closed: true})
		default:
			return nil, fmt.Errorf("internal error: %s at %q cannot be shown in %q", p.Op, p.Path, e.Path)
		}
	}
	return places, nil
}

// kept are the outermost things of the view beneath e that have a right or an object
// which e has not, or are changed in the machine: they stay visible.
func (w *shows) kept(e enforce.Entry) (all []enforce.Entry) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var paths []string
	for p, on := range w.mounted {
		if p != e.Path && beneath(p, e.Path) && (on.Write || !e.Includes(on)) {
			paths = append(paths, p)
		}
	}
	for _, p := range enforce.Outermost(paths) {
		all = append(all, w.mounted[p])
	}
	return all
}
