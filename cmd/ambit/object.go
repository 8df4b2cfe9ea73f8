package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// objects finds what the path capabilities of the plan reach. What was granted
// earlier and is not there now is left out where a touch brings it later, and of
// a command without a pack, whose grants are for every command: only what this
// launch names itself, or its pack declares, has to be there.
func (s *prepared) objects(in *enforce.Input) error {
	var there []capability.Capability
	for _, c := range in.Effective {
		err := s.object(in, c)
		if errors.Is(err, errNothingThere) && !s.named[c] && (in.Ask || in.AdHoc) {
			if !in.Ask && !s.app.json {
				printf(s.app.err, "ambit: %s was granted, but %v: it is left out\n", c.Display(), errNothingThere)
			}
			continue
		}
		if err != nil {
			return err
		}
		there = append(there, c)
	}
	in.Effective = there
	for _, c := range in.Masked {
		if err := s.hidden(in, c); err != nil {
			return err
		}
	}
	for i, v := range s.allVolumes() {
		if v.apart {
			var err error
			if v.shown.Changes, err = s.changesDir(i); err != nil {
				return err
			}
		}
		if !v.beside {
			in.Volumes = append(in.Volumes, v.shown)
		}
	}
	return nil
}

var errNothingThere = errors.New("there is nothing at that path")

// object finds what one capability of the effective set reaches. It is looked
// for under the name that was written, so that the links on the way are shown,
// and has to be what that name led to when it was granted.
func (s *prepared) object(in *enforce.Input, c capability.Capability) error {
	named := c
	if as, ok := s.spelled[c]; ok {
		named = as
	}
	pattern, ok := named.Pattern()
	if !ok {
		return nil
	}
	path, literal := pattern.Literal()
	var found []enforce.Object
	var err error
	switch {
	case literal && c.Kind() == capability.ProcessSpawn:
		found, err = s.spawned(path)
	case literal:
		found, err = one(path)
	default:
		found, err = view.Expand(pattern, pattern.Root())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was granted, but %w; create it first, or grant the directory above", c.Display(), errNothingThere)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Display(), err)
	}
	settled, _ := c.Pattern()
	granted := found
	if literal {
		granted = found[:1] // behind it stand what a program needs to start
	}
	for _, o := range granted {
		if !settled.MatchExact(o.Path) {
			return fmt.Errorf("%s now leads to %s, which was not granted", c.Display(), capability.Printable(o.Path))
		}
	}
	in.Objects[c.String()] = found
	return nil
}

// spawned finds what a scope of process.spawn names: a program with what starts
// it, or a directory of programs.
func (s *prepared) spawned(path string) ([]enforce.Object, error) {
	if path == s.program.real { // found already, under the name that was given
		found := slices.Clone(s.program.objects)
		found[0].Links = nil
		return found, nil
	}
	o, err := view.Resolve(path)
	if err != nil || o.Dir {
		return []enforce.Object{o}, err
	}
	return view.Executables(path, s.lookPath)
}

func one(path string) ([]enforce.Object, error) {
	o, err := view.Resolve(path)
	return []enforce.Object{o}, err
}

// hidden finds what a denial hides: its object, or the matches of its glob
// beneath each directory that the plan shows.
func (s *prepared) hidden(in *enforce.Input, c capability.Capability) error {
	named := c
	if as, ok := s.spelled[c]; ok {
		named = as // with the links on the way, which Compile looks at
	}
	pattern, ok := named.Pattern()
	if !ok {
		return nil
	}
	var found []enforce.Object
	var err error
	if path, literal := pattern.Literal(); literal {
		if found, err = one(path); errors.Is(err, fs.ErrNotExist) {
			found, err = nil, nil // Compile refuses where that matters
		}
	} else {
		found, err = s.hiddenMatches(in, pattern)
	}
	if err != nil {
		return fmt.Errorf("the denial of %s: %w", c.Display(), err)
	}
	in.Objects[c.String()] = found
	return nil
}

func (s *prepared) hiddenMatches(in *enforce.Input, pattern capability.Pattern) (found []enforce.Object, err error) {
	var shown []enforce.Object
	for _, c := range in.Effective {
		shown = append(shown, in.Objects[c.String()]...)
	}
	for _, v := range s.allVolumes() {
		shown = append(shown, v.shown.Source)
	}
	for _, o := range shown {
		root := pattern.Root()
		if under(o.Path, root) {
			root = o.Path
		} else if !under(root, o.Path) {
			continue
		}
		matches, err := view.Expand(pattern, root)
		if err != nil {
			return nil, err
		}
		found = append(found, matches...)
	}
	return found, nil
}

// under reports whether p is dir or beneath it.
func under(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && filepath.IsLocal(rel)
}
