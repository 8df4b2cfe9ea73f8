package main

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// besideFile, in the state directory, keeps what the search for programs among
// libraries found. It looks at every directory beneath /usr/lib, which takes
// longer than the rest of a launch; to see that none changed is a tenth of it.
const besideFile = "programs"

// besideFresh is how long after a look nobody looks again. What the system's
// owner installs meanwhile is not masked yet.
const besideFresh = time.Minute

// startsSome reports whether single programs may be started: then, and only
// then, others have to be out of reach of the loader that those need.
func (s *prepared) startsSome(effective []capability.Capability) bool {
	spawns := func(scoped bool) bool {
		return slices.ContainsFunc(effective, func(c capability.Capability) bool {
			return c.Kind() == capability.ProcessSpawn && (c.Scope() != "") == scoped
		})
	}
	return s.packDir != "" && spawns(true) && !spawns(false)
}

// beginBeside begins with the search where the manifest says that it will be
// needed.
func (s *prepared) beginBeside() {
	s.beside = sync.OnceValues(s.findBeside)
	var wants []capability.Capability
	for _, w := range s.manifest.Wants {
		wants = append(wants, w.Capability)
	}
	if s.startsSome(wants) {
		go s.beside() //nolint:errcheck // whoever needs it asks again
	}
}

// findBeside takes what an earlier launch found, if it is still so.
//
// Security: the state directory is closed to every sandbox, so the list is that
// of an ambit of this user.
func (s *prepared) findBeside() ([]enforce.ProgramDir, error) {
	dir, err := s.app.state()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, besideFile)
	began := s.app.now()
	if known, ok := knownBeside(path, began); ok {
		return known.Dirs, nil
	}
	found, err := view.FindBeside()
	if err != nil {
		return nil, err
	}
	if found.Settled(began) {
		keepBeside(path, found) // what cannot be kept is found again
	}
	return found.Dirs, nil
}

// knownBeside reads the list, and whether it still holds.
func knownBeside(path string, now time.Time) (known view.Beside, ok bool) {
	fi, err := os.Stat(path)
	if err != nil {
		return known, false
	}
	text, err := os.ReadFile(path)
	if err != nil || known.UnmarshalText(text) != nil {
		return known, false
	}
	if age := now.Sub(fi.ModTime()); age >= 0 && age < besideFresh {
		return known, true
	}
	if !known.Current() {
		return known, false
	}
	_ = os.Chtimes(path, now, now) // or it is looked at again
	return known, true
}

// keepBeside writes the list under another name first: a launch at the same time
// reads a whole one.
func keepBeside(path string, found view.Beside) {
	text, err := found.MarshalText()
	if err != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), besideFile+".*")
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is of no use
	}
}
