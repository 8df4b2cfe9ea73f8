package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"ambit.dev/ambit/internal/enforce"
)

// Bounds of one glob. Beyond them a grant of the directory is what is meant.
const (
	maxMatches = 1000
	maxVisited = 100_000
)

// A Pattern is a glob over absolute paths.
type Pattern interface {
	MatchExact(path string) bool // not what lies beneath a match, but the match itself
}

// Expand finds the objects at a path and beneath it that match a glob now. Matches that are symbolic
// links are left out: what they lead to was not granted.
func Expand(pattern Pattern, at string) ([]enforce.Object, error) {
	x := expansion{pattern: pattern}
	root, err := Resolve(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing matches yet
	}
	if err != nil {
		return nil, err
	}
	// Matching is by the granted spelling, what is mounted by the real path.
	err = x.walk(at, root)
	return x.found, err
}

type expansion struct {
	pattern Pattern
	found   []enforce.Object
	visited int
}

func (x *expansion) walk(spelling string, dir enforce.Object) error {
	if x.pattern.MatchExact(spelling) {
		return x.add(dir)
	}
	if !dir.Dir {
		return nil
	}
	entries, err := os.ReadDir(dir.Path)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil // what the user cannot list is not granted by a glob
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if x.visited++; x.visited > maxVisited {
			return fmt.Errorf("more than %d files to look at; grant the directory instead", maxVisited)
		}
		if e.Type()&fs.ModeSymlink != 0 {
			continue
		}
		name := path.Join(spelling, e.Name())
		if !e.IsDir() && !x.pattern.MatchExact(name) {
			continue
		}
		o, err := Resolve(path.Join(dir.Path, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return err
		}
		if len(o.Links) > 0 {
			continue // became a link since
		}
		o.Links = dir.Links
		if err := x.walk(name, o); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) add(o enforce.Object) error {
	if x.found = append(x.found, o); len(x.found) > maxMatches {
		return fmt.Errorf("more than %d matches; grant the directory instead", maxMatches)
	}
	return nil
}
