package enforce

import (
	"fmt"
	"slices"
)

// IsName reports whether e is something that lies in a mount, not a mount.
func (e Entry) IsName() bool { return e.Op == OpDir || e.Op == OpFile || e.Op == OpLink }

// MountAt is what of shown, by path, a path of the view lies on; false: it lies on the
// view's root.
func MountAt(shown map[string]Entry, p string) (Entry, bool) {
	for ; p != "/"; p = above(p) {
		if e, ok := shown[p]; ok {
			return e, true
		}
	}
	return Entry{}, false
}

// ShowTrees has show called for each entry that does not lie in the one before it, with
// those behind it that do: binds, each with its masks and pins.
func ShowTrees(entries []Entry, show func(e Entry, parts []Entry) error) error {
	for i := 0; i < len(entries); {
		n := 1
		for i+n < len(entries) && entries[i+n].Path != entries[i].Path && within(entries[i+n].Path, entries[i].Path) {
			n++
		}
		if err := show(entries[i], entries[i+1:i+n]); err != nil {
			return fmt.Errorf("show %s: %w", entries[i].Path, err)
		}
		i += n
	}
	return nil
}

// Outermost are the paths that lie in no other one of them, sorted. paths is sorted too.
func Outermost(paths []string) (outer []string) {
	slices.Sort(paths)
	for _, p := range paths {
		if !slices.ContainsFunc(outer, func(o string) bool { return within(p, o) }) {
			outer = append(outer, p)
		}
	}
	return outer
}
