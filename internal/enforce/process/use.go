//go:build linux

package process

import (
	"path"

	"ambit.dev/ambit/internal/enforce"
)

// maxFollowed bounds the links of a view that lead from one to the next, as the
// kernel does.
const maxFollowed = 40

// uses notes which entries of a view something was opened beneath. It belongs to
// the goroutine that answers held calls until that has ended.
//
// Security: the paths are what the program says, in memory that it can change.
// Whoever believes it believes the program, which can pretend to use what it has.
type uses struct {
	entries map[string]enforce.Entry // of the view, by path
	seen    map[string]bool
}

func newUses(view []enforce.Entry) *uses {
	u := &uses{entries: make(map[string]enforce.Entry, len(view)), seen: map[string]bool{}}
	for _, e := range view {
		u.entries[e.Path] = e
	}
	return u
}

// opened notes a clean path of the view. The view's own links on the way are
// followed; those that lie in what it shows count for where they lie.
func (u *uses) opened(p string) {
	for range maxFollowed {
		e, ok := u.above(p)
		if !ok {
			return
		}
		if e.Op != enforce.OpLink {
			u.seen[e.Path] = true
			return
		}
		to := e.Source
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(e.Path), to)
		}
		p = path.Join(to, p[len(e.Path):])
	}
}

// above is the entry that a path is, or lies nearest beneath.
func (u *uses) above(p string) (enforce.Entry, bool) {
	for {
		if e, ok := u.entries[p]; ok {
			return e, true
		}
		if p == "/" || p == "." {
			return enforce.Entry{}, false
		}
		p = path.Dir(p)
	}
}

// Opened says which entries of the view something was opened beneath. It waits
// until no call is held any more.
func (s *session) Opened() map[string]bool {
	<-s.watched
	if s.uses == nil {
		return nil
	}
	return s.uses.seen
}
