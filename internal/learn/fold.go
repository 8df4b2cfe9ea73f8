package learn

import (
	"maps"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// foldWrites folds files that were changed where nothing else is left to change.
func (f *folding) foldWrites() {
	for _, dir := range f.writes.parents() {
		if len(f.foldable(f.writes, dir)) <= few || !f.look.harmless(dir) {
			continue
		}
		all, err := f.look.host.List(dir)
		untouched := func(e Entry) bool { _, ok := f.writes[path.Join(dir, e.Name)]; return !ok }
		if err != nil || slices.ContainsFunc(all, untouched) {
			continue
		}
		f.writes.fold(dir, one(capability.FSWrite, dir), f.writes.beneath(dir))
	}
}

// foldReads folds files of packages, and then those of directories from the
// deepest upwards.
func (f *folding) foldReads() {
	packages := map[string]bool{}
	for p := range f.reads {
		if t := packageTree(p); t != "" && t != p {
			packages[t] = true
		}
	}
	for _, t := range slices.Sorted(maps.Keys(packages)) {
		if inside := f.reads.beneath(t); len(inside) > 1 && f.look.harmless(t) {
			f.reads.fold(t, one(capability.FSRead, t), inside)
		}
	}
	for _, dir := range f.reads.parents() {
		f.foldDir(dir)
	}
}

// foldDir folds what was read of one directory: into it where names of several
// kinds were read, into a glob where all were of one kind, or are as far as they
// are harmless.
func (f *folding) foldDir(dir string) {
	inside := f.foldable(f.reads, dir)
	if len(inside) <= few {
		return
	}
	kinds := map[string][]string{}
	for _, p := range inside {
		ext := path.Ext(p)
		if f.reads[p].dir || path.Base(p) == ext {
			ext = ""
		}
		kinds[ext] = append(kinds[ext], p)
	}
	if mixed := len(kinds) > 1 || kinds[""] != nil; mixed && f.look.harmless(dir) {
		f.reads.fold(dir, one(capability.FSRead, dir), f.reads.beneath(dir))
		return
	}
	for ext, files := range kinds {
		if c, ok := f.glob(dir, ext); ok && len(files) > few {
			f.others.add(c.String(), c, false, f.reads.take(files)...)
		}
	}
}

// glob returns the glob of all files of one kind in a directory, if those that
// exist are harmless.
func (f *folding) glob(dir, ext string) (capability.Capability, bool) {
	all, err := f.look.host.List(dir)
	if ext == "" || err != nil {
		return capability.Capability{}, false
	}
	harmful := func(e Entry) bool {
		p := path.Join(dir, e.Name)
		return strings.HasSuffix(e.Name, ext) && (f.look.secret(p) || e.Dir && !f.look.harmless(p))
	}
	if slices.ContainsFunc(all, harmful) || f.look.secret(path.Join(dir, "x"+ext)) {
		return capability.Capability{}, false
	}
	start, _ := strings.CutSuffix(one(capability.FSRead, path.Join(dir, ext)).String(), "/"+globless(ext))
	c, err := capability.Parse(start + "/*" + globless(ext))
	return c, err == nil && start != ""
}

// globless writes a name so that no character of it is special in a scope.
func globless(name string) string {
	return one(capability.FSRead, "/"+name).Scope()[1:]
}

// foldable returns the items in dir that may be folded into it: those of a root
// that dir is, or lies beneath. Where packages lie side by side nothing is.
func (f *folding) foldable(all items, dir string) []string {
	if beside := dir + "/go@x-1"; packageTree(beside) == beside { // a name of any package
		return nil
	}
	return slices.DeleteFunc(all.in(dir), func(p string) bool {
		root, ok := f.base.root(p)
		return !ok || !within(dir, root)
	})
}
