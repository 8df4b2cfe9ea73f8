package microvm

import (
	"fmt"
	"path"
	"slices"
	"sync"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// shows is what the view of a running machine has, and how more comes into it.
type shows struct {
	s     *session
	quiet []string
	image func(path string) bool // whether the machine has its own of what the host has there

	one sync.Mutex // what is shown, one after the other

	mu      sync.RWMutex             // never held while something is shown
	mounted map[string]enforce.Entry // guarded by mu; by path: what is mounted
	came    map[string]bool          // guarded by mu; of mounted, what was shown since the start
	turn    map[string]int           // guarded by mu; of mounted, the number of the copy that was mounted since the start
	trees   map[string]*tree         // guarded by one; copies that are not brought back yet, by path
	left    error                    // guarded by one; what of what was taken away was not brought back
	over    bool                     // guarded by one; nothing more is shown or taken away
}

func newShows(s *session, image func(string) bool) *shows {
	w := &shows{s: s, image: image, quiet: s.plan.Quiet, mounted: map[string]enforce.Entry{}, came: map[string]bool{}, turn: map[string]int{}, trees: map[string]*tree{}}
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

// widens reports whether what was mounted at the start at a path, or above it, is a copy of
// what was granted there, so that somebody can be asked about more than it gives.
func (w *shows) widens(p string) bool {
	on, ok := w.at(p)
	return ok && on.Op == enforce.OpBind && on.Source == on.Path && on.Ino != 0 && !on.Device && !on.Pin && !w.image(on.Source)
}

// gives reports whether what was touched lies in what was shown since the start, with
// the right that is wanted.
func (w *shows) gives(t enforce.Touch) bool {
	on, ok := w.at(t.Path)
	w.mu.RLock()
	defer w.mu.RUnlock()
	return ok && (w.came[on.Path] || t.Kind != enforce.TouchRead) && (t.Kind != enforce.TouchWrite || on.Write) && (t.Kind != enforce.TouchRun || on.Exec)
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
	w.s.bringing.Lock() // a machine that is paused takes nothing
	defer w.s.bringing.Unlock()
	w.one.Lock()
	defer w.one.Unlock()
	if w.over {
		return errOver
	}
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
	if done, err := w.widen(e, parts); done || err != nil {
		return err
	}
	places, err := closed(e, parts)
	if err != nil {
		return err
	}
	kept, moved := w.kept(e, places)
	for _, k := range kept {
		places = append(places, place{path: relative(e.Path, k.Path), dir: k.Dir || k.Op != enforce.OpBind})
	}
	for _, m := range moved {
		places = append(places, place{path: relative(e.Path, m.entry.Path), dir: m.entry.Dir})
	}
	t, err := openTree(w.s.next, e, places)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	w.s.next++
	if err := w.s.send(t); err != nil {
		return err
	}
	order := &channel.Shown{Path: e.Path, Dir: e.Dir, Write: e.Write, Exec: e.Exec, Moved: orders(moved)}
	for _, k := range kept {
		order.Kept = append(order.Kept, k.Path)
	}
	if _, err := w.s.channel.Ask(channel.Request{Op: channel.OpShow, Tree: t.n, Show: order}, soon(answerIn)); err != nil {
		return err
	}
	w.join(t, moved)
	w.hold(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounted[e.Path], w.came[e.Path], w.turn[e.Path] = e, true, t.n
	return nil
}

// mostTrees bounds the copies that are held to be widened.
const mostTrees = 256

// hold keeps a copy: to bring it back, or until it may be changed. w.one is held.
func (w *shows) hold(t *tree) {
	p := t.entry.Path
	if old := w.trees[p]; old != nil {
		old.close()
		delete(w.trees, p)
	}
	switch {
	case t.entry.Write:
		w.s.trees = append(w.s.trees, t) // the session closes it
	case len(w.trees) < mostTrees && t.entry.Op == enforce.OpBind && t.entry.Source == p:
		w.trees[p] = t
	default:
		t.close()
	}
}

// widen gives a copy that is shown the rights of e, in its place: a program that is in the
// folder goes on in it. It does not where something else would be closed in it.
//
// Security: it is the object that was shown, held since by its descriptor, and still there.
// What was changed in it on the host since it was copied is found when it is brought back,
// and left.
func (w *shows) widen(e enforce.Entry, parts []enforce.Entry) (done bool, err error) {
	t := w.trees[e.Path]
	w.mu.RLock()
	on := w.mounted[e.Path]
	w.mu.RUnlock()
	if t == nil || !e.Includes(on) || t.entry.Dev != e.Dev || t.entry.Ino != e.Ino {
		return false, nil
	}
	there, err := openTree(t.n, e, nil)
	if err != nil {
		return false, err
	}
	there.close()
	places, err := closed(e, parts)
	if err != nil {
		return false, err
	}
	for _, p := range places {
		if !slices.Contains(t.kept, p) {
			return false, nil
		}
	}
	_, moved := w.kept(e, places)
	order := &channel.Shown{Path: e.Path, Dir: e.Dir, Write: e.Write, Exec: e.Exec, Wider: true, Moved: orders(moved)}
	if _, err := w.s.channel.Ask(channel.Request{Op: channel.OpShow, Tree: t.n, Show: order}, soon(answerIn)); err != nil {
		return false, err
	}
	t.entry = e
	w.join(t, moved)
	if e.Write {
		delete(w.trees, e.Path)
		w.s.trees = append(w.s.trees, t)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounted[e.Path], w.came[e.Path] = e, true
	return true, nil
}

// close lets go of the copies that are held. Nothing more is shown. It says what of what
// was taken away was not brought back.
func (w *shows) close() error {
	w.one.Lock()
	defer w.one.Unlock()
	w.over = true
	for _, t := range w.trees {
		t.close()
	}
	return w.left
}

// closed are the places in a tree that are masked.
func closed(e enforce.Entry, parts []enforce.Entry) (places []place, err error) {
	for _, p := range parts {
		switch {
		case p.Pin: // it keeps a mask in its place, and there is nothing behind one here
		case p.Op == enforce.OpMask:
			places = append(places, place{path: relative(e.Path, p.Path), dir: p.Dir, closed: true})
		default:
			return nil, fmt.Errorf("internal error: %s at %q cannot be shown in %q", p.Op, p.Path, e.Path)
		}
	}
	return places, nil
}
