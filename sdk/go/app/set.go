package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
)

// A Set is what a program, or a part of one, keeps to. The zero value has nothing.
type Set struct {
	has  []Capability // resolved
	base capability.Base
}

// ErrBeyond is why a set refuses.
var ErrBeyond = errors.New("not in the set of capabilities")

// Has is what the set has, with absolute paths.
func (s Set) Has() []Capability { return slices.Clone(s.has) }

// Covers reports whether something in the set permits all that c permits.
func (s Set) Covers(c Capability) bool {
	c, err := c.Resolve(s.base)
	return err == nil && capability.Covered(c, s.has)
}

// Narrow is a set with no more than what is named, and what of that this set does not
// have: the new set is tighter than was asked for by that.
func (s Set) Narrow(to ...Capability) (narrow Set, beyond []Capability) {
	var want []Capability
	for _, c := range to {
		r, err := c.Resolve(s.base)
		if err != nil {
			beyond = append(beyond, c)
			continue
		}
		want = append(want, r)
	}
	kept, more := capability.Attenuate(s.has, want)
	return Set{kept, s.base}, append(beyond, more...)
}

// Open opens a file or a folder for reading, if the set has it.
func (s Set) Open(name string) (*os.File, error) {
	return s.open(name, capability.FSRead, os.O_RDONLY)
}

// Create opens a file for writing, empty or new, if the set has it.
func (s Set) Create(name string) (*os.File, error) {
	return s.open(name, capability.FSWrite, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (s Set) open(name string, kind capability.Kind, flags int) (*os.File, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	c, err := capability.ForPath(kind, path)
	if err != nil {
		return nil, err
	}
	if !s.Covers(c) {
		return nil, &fs.PathError{Op: string(kind), Path: name, Err: ErrBeyond}
	}
	return os.OpenFile(path, flags, 0o666)
}

// Dial connects by TCP to HOST:PORT, if the set has that.
func (s Set) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := capability.Parse("net.connect:" + address)
	if err != nil {
		return nil, err
	}
	if !s.Covers(c) {
		return nil, fmt.Errorf("%s: %w", c.Display(), ErrBeyond)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
