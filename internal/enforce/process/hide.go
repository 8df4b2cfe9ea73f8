//go:build linux

package process

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/holders"
)

// Hide takes the mounts of grants out of the running view.
//
// Security: from here on no path leads to them: where the view asks, they are
// hidden again, elsewhere they are masked. What processes have open of them stays
// open, and is what is returned; only their end ends that.
func (s *session) Hide(paths ...string) (open [][]enforce.Open, err error) {
	open = make([][]enforce.Open, len(paths))
	if s.attach == nil {
		return nil, fmt.Errorf("internal error: hide %q in a session that is not there", paths)
	}
	var taken []string
	var shown []enforce.Entry
	at := map[string]int{} // by path, where in open
	for i, p := range paths {
		on, ok := s.attach.at(p)
		switch {
		case !ok || on.Op == enforce.OpMask:
			continue // the view has it not
		case on.Path != p && isSocket(p):
			// The folder that it lies in is still granted, and does not give it.
			if err := s.attach.attach([]enforce.Entry{{Op: enforce.OpMask, Path: p, Socket: true}}); err != nil {
				return nil, err
			}
			continue
		case on.Path != p:
			continue // a wider grant shows it
		case on.Op != enforce.OpBind:
			return nil, fmt.Errorf("%s is the sandbox's own, and no grant", p)
		}
		if _, twice := at[p]; !twice {
			at[p] = i
			taken = append(taken, p)
			shown = append(shown, on)
		}
	}
	if len(taken) == 0 {
		return open, nil
	}
	search, err := holders.Look(s.pid, taken, nil)
	if err != nil {
		return nil, err
	}
	if err := s.takeAway(shown); err != nil {
		return nil, err
	}
	found, err := search.Gone()
	for i, p := range taken {
		open[at[p]] = found[i]
	}
	return open, err
}

// isSocket reports whether the host has a unix socket at p.
func isSocket(p string) bool {
	var st unix.Stat_t
	return unix.Lstat(p, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// takeAway takes mounts out of the view. Where the view asks, their names are
// hidden again; elsewhere what lies beneath, which may be a wider grant without
// the masks that lay in it, is masked.
func (s *session) takeAway(shown []enforce.Entry) error {
	shown = slices.SortedFunc(slices.Values(shown), func(a, b enforce.Entry) int { return strings.Compare(a.Path, b.Path) })
	paths := make([]string, len(shown))
	for i, e := range shown {
		paths[i] = e.Path
	}
	if err := s.attach.detach(paths...); err != nil {
		return err
	}
	for _, e := range shown {
		on, _ := s.attach.at(e.Path)
		switch {
		case s.plan.Asks(), on.Op == enforce.OpMask: // it lay in another one that is masked
		default:
			if err := s.attach.attach([]enforce.Entry{{Op: enforce.OpMask, Path: e.Path, Dir: e.Dir}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// processes are those of the sandbox's pid namespace, as the host sees them.
func (s *session) processes() ([]int, error) { return holders.Processes(s.pid) }
