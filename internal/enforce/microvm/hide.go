package microvm

import (
	"errors"
	"fmt"
	"slices"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// Hide takes grants out of the running view, where that asks: their names are hidden again.
// What was changed by then is brought back, and nothing more. In a view that does not ask
// it cannot, and whoever takes a grant away ends the session.
//
// Security: whoever took the guest over keeps the copy that it was given, and so does who
// has it open, which the guest tells and nobody else can. What they make of it comes back
// no more.
func (s *session) Hide(paths ...string) ([][]enforce.Open, error) {
	if s.asking == nil {
		return nil, errHasCopy
	}
	return s.asking.shows.hide(paths)
}

var errOver = errors.New("the session has ended")

var errHasCopy = errors.New("a machine has a copy of it, which cannot be taken away")

func (w *shows) hide(paths []string) ([][]enforce.Open, error) {
	w.s.bringing.Lock() // a machine that is paused takes nothing
	defer w.s.bringing.Unlock()
	w.one.Lock()
	defer w.one.Unlock()
	if w.over {
		return nil, errOver
	}
	open := make([][]enforce.Open, len(paths))
	taken, err := w.taken(paths)
	if len(taken) == 0 || err != nil {
		return open, err
	}
	a, err := w.s.channel.Ask(channel.Request{Op: channel.OpHide, Hide: taken}, soon(answerIn))
	if err != nil {
		return nil, err
	}
	for _, h := range a.Held {
		if h.Of < 0 || h.Of >= len(taken) {
			return nil, errors.New("the guest tells of what was not taken away")
		}
		if i := slices.Index(paths, taken[h.Of]); i >= 0 {
			open[i] = append(open[i], enforce.Open{Program: said(h.Program, h.PID), What: h.What, Path: h.Path})
		}
	}
	for _, p := range taken {
		w.forget(p)
	}
	return open, nil
}

// said is the name of a program that the guest tells.
//
// Security: only the guest could tell it, so it says that. Such a name is never that of a
// program of the host.
func said(program string, pid int) string {
	return fmt.Sprintf("%s (process %d in the machine, which says so)", program, pid)
}

// taken are the paths at which something is shown that can be taken away, with what was
// shown on top of it since: that comes again where it is granted, at its next touch. w.one
// is held, without which nothing is shown.
func (w *shows) taken(paths []string) (taken []string, err error) {
	for _, p := range paths {
		on, ok := w.at(p)
		switch {
		case !ok, on.Op == enforce.OpMask, on.Path != p, slices.Contains(taken, p):
			continue // the view has it not, or a wider grant shows it
		case !w.came[p] && !w.widens(p):
			return nil, errHasCopy
		}
		taken = append(taken, p)
	}
	for p, on := range w.mounted {
		// What was there before is there again.
		onTop := func(t string) bool { return beneath(p, t) && w.turn[p] >= w.turn[t] }
		if slices.Contains(taken, p) || !slices.ContainsFunc(taken, onTop) {
			continue
		}
		if on.Op != enforce.OpMask && (!w.came[p] || on.Write) {
			return nil, fmt.Errorf("%w without %q, which lies in it and is granted", errHasCopy, p)
		}
		taken = append(taken, p)
	}
	return taken, nil
}

// forget brings back for the last time what was changed of what was taken away.
func (w *shows) forget(p string) {
	ours := func(t *tree) bool { return t.entry.Path == p }
	if i := slices.IndexFunc(w.s.trees, ours); i >= 0 {
		t := w.s.trees[i]
		w.left = errors.Join(w.left, w.s.collect(t, soon(answerIn)))
		t.close()
		w.s.trees = slices.Delete(w.s.trees, i, i+1)
	}
	if t := w.trees[p]; t != nil {
		t.close()
		delete(w.trees, p)
	}
	w.unmounted(p)
}
