//go:build linux

package process

import (
	"fmt"
	"path"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A skeleton is what the root of a view without a trap holds: the names of the
// plan, and those that were made since to mount something on, or to lead there.
// A trap has no need of that: it knows the host's names.
type skeleton struct {
	mu    sync.RWMutex
	names map[string]name // guarded by mu; nil where the root is a trap
	// The attacher's mu guards these two: how many links were made, and how many
	// names for what comes and goes.
	links, staged int
}

// A name is one of them.
type name struct {
	mode    uint32 // its type
	link    string // its target, if it is a link
	kept    bool   // the plan has it for its own sake
	transit bool   // what is mounted lies beneath it
}

// maxLinks bounds the links of the host that are made in one view: a program
// that looks around must not fill the kernel's memory.
const maxLinks = 10000

func newSkeleton(p enforce.Plan) *skeleton {
	if p.Trapped() || !p.Asks() {
		return &skeleton{}
	}
	s := &skeleton{names: map[string]name{"/": {mode: unix.S_IFDIR, kept: true}}}
	made, mounted := p.Skeleton()
	for _, e := range made {
		n := name{mode: unix.S_IFREG, kept: true}
		switch e.Op {
		case enforce.OpDir:
			n.mode = unix.S_IFDIR
		case enforce.OpLink:
			n.mode, n.link = unix.S_IFLNK, e.Source
		default:
		}
		s.names[e.Path] = n
	}
	for _, e := range mounted {
		if n, ok := s.names[e.Path]; ok { // it is there for the mount's sake
			n.kept = false
			s.names[e.Path] = n
		}
	}
	return s
}

// own returns a name that the view itself has: of the plan, a link, or on the way
// to something that is mounted. What was made only to lead to a link is hidden as
// before.
func (s *skeleton) own(p string) (name, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.names[p]
	return n, ok && (n.kept || n.transit || n.link != "")
}

// missing are the directories above p that are not there, and p itself; none if
// p is there, as a trap has every name.
func (s *skeleton) missing(p string) (names []string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.names[p]
	switch {
	case ok && n.link != "":
		return nil, fmt.Errorf("%s is a link in the view", p)
	case ok || s.names == nil:
		return nil, nil
	}
	for d := p; ; d = path.Dir(d) {
		n, ok := s.names[d]
		if ok && n.mode != unix.S_IFDIR {
			return nil, fmt.Errorf("%s is in the view, and no directory", d)
		}
		if ok {
			slices.Reverse(names)
			return names, nil
		}
		names = append(names, d)
	}
}

// add notes names that were made; the last one is of that type, those before are
// directories.
func (s *skeleton) add(made []string, mode uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range made {
		s.names[p] = name{mode: unix.S_IFDIR}
		if i == len(made)-1 {
			s.names[p] = name{mode: mode & unix.S_IFMT}
		}
	}
}

// target notes where a link leads.
func (s *skeleton) target(k enforce.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[k.Path] = name{mode: unix.S_IFLNK, link: k.Target}
}

// mounted notes that something is mounted at p now: the way there is the view's
// own.
func (s *skeleton) mounted(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := path.Dir(p); d != "/"; d = path.Dir(d) {
		if n, ok := s.names[d]; ok {
			n.transit = true
			s.names[d] = n
		}
	}
}

// unmounted notes that nothing is mounted at p any more, or beneath. It returns
// the names that are of no use now. leads reports whether
// something is mounted beneath a path.
func (s *skeleton) unmounted(p string, leads func(string) bool) (useless []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q, n := range s.names {
		if inside(q, p) || inside(p, q) && q != "/" {
			n.transit = leads(q)
			s.names[q] = n
			if !n.kept && !n.transit && n.link == "" && !s.linked(q) {
				useless = append(useless, q)
			}
		}
	}
	return useless
}

// beneath are p and all names beneath, if p is there for what is mounted on it.
func (s *skeleton) beneath(p string) (names []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n, ok := s.names[p]; !ok || n.kept {
		return nil
	}
	for q := range s.names {
		if inside(q, p) {
			names = append(names, q)
		}
	}
	return names
}

// linked reports whether a link or something of the plan lies beneath p.
func (s *skeleton) linked(p string) bool {
	for q, n := range s.names {
		if q != p && inside(q, p) && (n.link != "" || n.kept) {
			return true
		}
	}
	return false
}

func (s *skeleton) remove(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, p)
}
