package view

import (
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A Reading is a base view that was read once, with how everything that it was read
// from looked then.
type Reading struct {
	who    Who
	base   enforce.Base
	from   sources
	masked []source
}

// sources are what something was read from, as it looked.
type sources struct {
	all     []source
	settled bool // nothing had been changed so shortly before that a change since could look the same
}

// settling is how long ago something must have been changed for a further change
// to show: the kernel's clock for files goes on in steps of some milliseconds.
const settling = 100 * time.Millisecond

// Read is Base, to be asked for again.
func Read(w Who) (*Reading, error) {
	r := &Reading{who: w, from: sourcesAt(slices.Concat(systemDirs, etcDirs, programDirs, etcFiles), time.Now())}
	for _, p := range procMasked { // it is there or not, and for whom; its times are those of the first look
		l := sourceAt(p)
		l.own.timeless()
		r.masked = append(r.masked, l)
	}
	var err error
	r.base, err = Base(w)
	return r, err
}

// sourcesAt looks at paths, and at the directories that they are in.
func sourcesAt(paths []string, now time.Time) sources {
	s := sources{settled: true}
	seen := map[string]bool{"/": true}
	for _, p := range paths {
		for ; !seen[p]; p = path.Dir(p) {
			seen[p] = true
			l := sourceAt(p)
			s.all, s.settled = append(s.all, l), s.settled && l.before(now.Add(-settling))
		}
	}
	return s
}

// same reports whether everything looks as it did.
func (s sources) same() bool {
	return s.settled && !slices.ContainsFunc(s.all, func(l source) bool { return sourceAt(l.path) != l })
}

// Base is the base view as it is now: what was read where all of it still looks as
// it did, and otherwise read anew.
//
// Security: sockets are looked for anew each time, and so is every path looked at.
// A file that was written has other times, and what stands in the place of another
// one has another inode.
func (r *Reading) Base(w Who) (enforce.Base, error) {
	if r == nil || w != r.who || !r.from.same() || !r.sameMasked() {
		return Base(w)
	}
	b := r.base
	b.Links, b.Dirs = slices.Clip(b.Links), slices.Clip(b.Dirs) // who adds to them adds to a copy
	b.Files, b.Masked, b.Programs = slices.Clip(b.Files), slices.Clip(b.Masked), slices.Clip(b.Programs)
	var err error
	b.Sockets, err = Sockets()
	return b, err
}

func (r *Reading) sameMasked() bool {
	return !slices.ContainsFunc(r.masked, func(was source) bool {
		l := sourceAt(was.path)
		l.own.timeless()
		return l != was
	})
}

// A source is how what is at a path looks: itself, and what it leads to if it is a link.
type source struct {
	path       string
	own, leads shape
}

// shape is what a stat(2) says, as far as it matters; of a directory that it is this
// one: what is in it is shown as it is.
type shape struct {
	err            error
	dev, ino       uint64
	mode, uid, gid uint32
	size           int64
	written, made  unix.Timespec
}

func sourceAt(p string) source {
	var st unix.Stat_t
	l := source{path: p}
	l.own = shapeOf(unix.Lstat(p, &st), &st)
	if l.own.err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		l.leads = shapeOf(unix.Stat(p, &st), &st)
	}
	return l
}

func shapeOf(err error, st *unix.Stat_t) shape {
	if err != nil {
		return shape{err: err}
	}
	l := shape{dev: st.Dev, ino: st.Ino, mode: st.Mode, uid: st.Uid, gid: st.Gid}
	if st.Mode&unix.S_IFMT == unix.S_IFREG || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		l.size, l.written, l.made = st.Size, st.Mtim, st.Ctim
	}
	return l
}

// timeless leaves out what changes without anybody's doing.
func (s *shape) timeless() { s.size, s.written, s.made = 0, unix.Timespec{}, unix.Timespec{} }

// before reports whether what was looked at was changed before a time, and not after.
func (l source) before(t time.Time) bool {
	for _, s := range []shape{l.own, l.leads} {
		if time.Unix(s.made.Unix()).After(t) {
			return false
		}
	}
	return true
}
