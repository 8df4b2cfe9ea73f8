package audit

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// atHand is how many records a Newest has: as many as a large page.
const atHand = 1000

// Newest has the newest records of a log at hand, for who is asked for them again and
// again: where nothing was written since, a page of them is made without reading the log. It
// is safe for concurrent use.
//
// Its pages are those of Page: what is at hand was committed, and a record that was committed
// stays as it is. Where the log is shorter than it was, it is read anew. As little as Page does it
// check the chain: what somebody has written over shows in Verify.
type Newest struct {
	dir  string
	many int // are kept, and at most twice as many

	mu     sync.Mutex
	follow *Follower // guarded by mu; nil: nothing is at hand
	kept   []Record  // guarded by mu; oldest first, without gaps; nobody changes one that is in it
}

// NewNewest has the newest records of the log in dir, from the first page on.
func NewNewest(dir string) *Newest { return &Newest{dir: dir, many: atHand} }

// Page is what the function Page returns.
func (n *Newest) Page(most int, q Query) (page []Record, more bool, err error) {
	if len(q.Hints)+len(q.Any) == 0 { // what is looked for by texts is found sooner in lines
		kept, err := n.now()
		if err != nil {
			return nil, false, err
		}
		for _, r := range slices.Backward(kept) {
			if !q.wants(r) {
				continue
			}
			if len(page) == most {
				return page, true, nil
			}
			page = append(page, r)
		}
		if len(kept) > 0 && kept[0].Seq == 1 {
			return page, false, nil
		}
	}
	return Page(n.dir, most, q)
}

// now is what is at hand, with what was committed since.
func (n *Newest) now() ([]Record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.update()
	if err != nil {
		n.follow, n.kept = nil, nil // the next one reads anew
	}
	return n.kept, err
}

func (n *Newest) update() error {
	if n.follow == nil || n.follow.cut() {
		return n.fill()
	}
	for {
		all, err := n.follow.Next()
		if err != nil {
			return n.fill() // and if that is an error, too, it is one
		}
		if len(all) == 0 {
			return nil
		}
		n.add(all)
	}
}

// fill reads the log.
func (n *Newest) fill() (err error) {
	n.kept = nil
	if n.follow, err = Follow(n.dir); err != nil {
		return err
	}
	all, _, err := Page(n.dir, n.many, Query{}) // what is written meanwhile follows, too
	if errors.Is(err, os.ErrNotExist) {
		n.follow = nil
	}
	slices.Reverse(all)
	n.kept = all
	return err
}

// add adds what follows.
func (n *Newest) add(all []Record) {
	for _, r := range all {
		if len(n.kept) == 0 || r.Seq > n.kept[len(n.kept)-1].Seq { // or it was there already
			n.kept = append(n.kept, r)
		}
	}
	if len(n.kept) > 2*n.many {
		n.kept = slices.Clone(n.kept[len(n.kept)-n.many:]) // others may be reading it
	}
}

// cut reports whether what was read is there no more.
func (f *Follower) cut() bool {
	if f.segment == 0 {
		return false
	}
	info, err := os.Lstat(filepath.Join(f.dir, segmentName(f.segment)))
	return err != nil || info.Size() < f.offset
}
