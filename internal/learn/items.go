package learn

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// items are things that were used, by path or text.
type items map[string]item

type item struct {
	capability capability.Capability
	dir        bool
	uses       map[string]int
	names      map[string]bool
}

func (all *items) add(key string, c capability.Capability, dir bool, from ...item) {
	if *all == nil {
		*all = items{}
	}
	i, ok := (*all)[key]
	if !ok {
		i = item{capability: c, uses: map[string]int{}, names: map[string]bool{}}
	}
	i.dir = i.dir || dir
	for _, f := range from {
		for p, n := range f.uses {
			i.uses[p] += n
		}
		maps.Copy(i.names, f.names)
	}
	(*all)[key] = i
}

// parents are the directories that hold items, the deepest first.
func (all items) parents() []string {
	dirs := map[string]bool{}
	for p := range all {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) { // one that is folded counts in those above
			dirs[d] = true
		}
	}
	return slices.SortedFunc(maps.Keys(dirs), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(a, b))
	})
}

// in returns the items whose directory is dir, in order.
func (all items) in(dir string) (paths []string) {
	for p := range all {
		if path.Dir(p) == dir {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// beneath returns the items that lie beneath dir, in order.
func (all items) beneath(dir string) (paths []string) {
	for p := range all {
		if p != dir && within(p, dir) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// take removes items and returns them.
func (all items) take(paths []string) (taken []item) {
	for _, p := range paths {
		taken = append(taken, all[p])
		delete(all, p)
	}
	return taken
}

// fold puts a directory in the place of what lies in it.
func (all items) fold(dir string, c capability.Capability, paths []string) {
	taken := all.take(paths)
	for i, p := range paths { // what changed in a directory beneath is no name of this one
		if path.Dir(p) != dir || taken[i].dir {
			taken[i].names = nil
		}
	}
	all.add(dir, c, true, taken...)
}

func (i item) want() Want {
	return Want{Capability: i.capability, Dir: i.dir, By: i.sortedUses(), Names: slices.Sorted(maps.Keys(i.names))}
}

// sortedUses puts who used it most first.
func (i item) sortedUses() (by []Use) {
	for program, n := range i.uses {
		by = append(by, Use{program, n})
	}
	slices.SortFunc(by, func(a, b Use) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Program, b.Program)) })
	return by
}
