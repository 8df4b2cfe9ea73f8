package view

import "time"

// FindBesideIn is FindBeside for a tree of a test.
var FindBesideIn = findBeside

// Same looks at paths, has something done, and answers whether they look the same. since
// is how long ago it was looked, by the clock.
func Same(paths []string, since time.Duration, do func()) bool {
	s := sourcesAt(paths, time.Now().Add(since))
	do()
	return s.same()
}

// Stands reports whether what was read would be used.
func Stands(r *Reading) bool { return r.from.same() && r.sameMasked() }
