package main

import (
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// A file that is granted alone is one object in the view: when somebody replaces
// it on the host, as editors do when they save, the program would go on seeing
// the old one. In a view that asks such an object is let go of. A grant is for a
// path, so the next touch of that is decided by what was granted, and the new
// object is shown.

// replacedEvery is after how many looks at the grants it is looked whether a
// file was replaced: once a second.
const replacedEvery = 4

// letGo hides the files of the view that are not what has their path on the host
// any more.
//
// Security: only what is hidden again changes. What is shown next was decided
// about, and is found, like everything at its first touch. What is forgotten is
// taken out of the view in any case, or the session ends: it would not be
// taken away when its grant is revoked.
func (r *rechecker) letGo() {
	if r.replaced == nil {
		return
	}
	for c, objects := range r.shown() {
		for _, o := range objects {
			if o.Dir || stillThere(o) {
				continue
			}
			r.replaced(c, o)
			if _, err := r.inside.Hide(o.Path); err != nil {
				r.mustEnd(c, err)
			}
		}
	}
}

// stillThere reports whether a path leads to the object that it led to.
func stillThere(o enforce.Object) bool {
	var st unix.Stat_t
	err := unix.Lstat(o.Path, &st)
	return err == nil && st.Dev == o.Dev && st.Ino == o.Ino
}

// replaced notes that the view has an object no longer, and leaves alone what was
// shown since in its place.
func (t *toucher) replaced(c capability.Capability, gone enforce.Object) {
	t.showing.Lock()
	defer t.showing.Unlock()
	left := slices.DeleteFunc(slices.Clone(t.in.Objects[c.String()]), func(o enforce.Object) bool {
		return o.Path == gone.Path && o.Dev == gone.Dev && o.Ino == gone.Ino
	})
	if t.in.Objects[c.String()] = left; len(left) == 0 {
		t.in.Effective = slices.DeleteFunc(t.in.Effective, func(e capability.Capability) bool { return e == c })
		delete(t.in.Objects, c.String())
	}
}
