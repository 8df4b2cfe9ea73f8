package learn

import (
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// maxLooked bounds how many names beneath one directory are looked at. A larger
// directory is not called harmless.
const maxLooked = 200_000

// look finds out what lies beneath directories, each once.
type look struct {
	base  Base
	host  Host
	known map[string]found
}

// found is what was seen beneath a directory.
type found struct {
	names   int      // beneath it; maxLooked+1 for more, or for what cannot be listed
	secrets []string // the topmost of each
}

func newLook(b Base, h Host) *look { return &look{base: b, host: h, known: map[string]found{}} }

// harmless reports whether a directory may be shown as a whole: it is no place
// of secrets, there are none beneath it, and all that is beneath was looked at.
func (l *look) harmless(dir string) bool {
	if l.base.exposed(dir) {
		return false
	}
	f := l.beneath(dir)
	return f.names <= maxLooked && len(f.secrets) == 0
}

// secret reports whether a path is on the list of secrets.
func (l *look) secret(p string) bool {
	_, ok := capability.Sensitive(p, l.base.Home)
	return ok
}

// beneath looks at everything beneath a directory.
func (l *look) beneath(dir string) found {
	if f, ok := l.known[dir]; ok {
		return f
	}
	var f found
	for _, e := range l.list(dir, &f) {
		f.names++
		p := path.Join(dir, e.Name)
		switch {
		case l.secret(p):
			f.secrets = append(f.secrets, p)
		case e.Dir:
			under := l.beneath(p)
			f.names += under.names
			f.secrets = append(f.secrets, under.secrets...)
		}
		if f.names > maxLooked {
			f.names = maxLooked + 1
			break
		}
	}
	l.known[dir] = f
	return f
}

// list lists a directory in order. Where that fails f has too many names.
func (l *look) list(dir string, f *found) []Entry {
	all, err := l.host.List(dir)
	if err != nil || len(all) > maxLooked {
		f.names = maxLooked + 1
		return nil
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// entry finds a path in its directory.
func (l *look) entry(p string) (Entry, bool) {
	all, err := l.host.List(path.Dir(p))
	if err != nil {
		return Entry{}, false
	}
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Name == path.Base(p) })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// parts returns the topmost harmless things beneath a directory that is not.
func (l *look) parts(dir string) (parts []part) {
	var f found
	for _, e := range l.list(dir, &f) {
		p := path.Join(dir, e.Name)
		switch {
		case l.secret(p):
		case !e.Dir:
			parts = append(parts, part{path: p})
		case l.harmless(p):
			parts = append(parts, part{path: p, dir: true})
		default:
			parts = append(parts, l.parts(p)...)
		}
	}
	return parts
}

// part is a file or a directory.
type part struct {
	path string
	dir  bool
}

// Secrets returns the topmost places of secrets beneath a directory; ok is false
// if more lies there than is looked at.
func Secrets(dir string, b Base, h Host) (places []string, ok bool) {
	f := newLook(b, h).beneath(dir)
	return f.secrets, f.names <= maxLooked
}
