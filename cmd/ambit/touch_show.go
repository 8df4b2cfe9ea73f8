package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// show makes what the tier attaches for a request that was allowed: what the
// grant gives, so that the next touch of it is none, or else exactly what was
// touched.
func (t *toucher) show(ctx context.Context, c capability.Capability, o enforce.Object, d decision.Decision) ([]enforce.Entry, error) {
	grants, err := t.grants(ctx)
	if err != nil {
		return nil, err
	}
	t.showing.Lock()
	defer t.showing.Unlock()
	var failed error
	for _, given := range []capability.Capability{by(d), c} {
		if o.Socket && given != c {
			continue // of all that was granted it alone is shown
		}
		if pattern, ok := given.Pattern(); ok {
			if _, literal := pattern.Literal(); !literal {
				continue // a glob is shown file by file
			}
		}
		objects, err := t.reaches(given, o)
		if err != nil {
			failed = err
			continue
		}
		entries, err := t.arrive(given, objects, grants)
		if err != nil {
			failed = err
			continue
		}
		t.in.Effective = append(t.in.Effective, given)
		t.in.Objects[given.String()] = objects
		return entries, nil
	}
	return nil, failed
}

// reaches are the objects that are shown for c. Of a glob that is what was
// touched and no other match: each comes at its own first touch.
//
// Security: an object that is not where it was, or not what was touched, is an
// error.
func (t *toucher) reaches(c capability.Capability, o enforce.Object) ([]enforce.Object, error) {
	pattern, ok := c.Pattern()
	switch {
	case !ok && o.Path == "":
		return nil, nil // a second process, of whatever program
	case !ok:
		return nil, fmt.Errorf("%s names no program to show", c.Display())
	}
	path, literal := pattern.Literal()
	switch {
	case !literal:
		return []enforce.Object{o}, nil
	case path != o.Path:
		root, err := view.Resolve(path)
		if err == nil && (root.Path != path || !under(o.Path, root.Path)) {
			err = fmt.Errorf("%s now leads to %s, which was not granted", c.Display(), capability.Printable(root.Path))
		}
		return []enforce.Object{root}, err
	case c.Kind() == capability.ProcessSpawn && !o.Dir:
		found, err := t.s.spawned(path)
		if err == nil && (found[0].Path != o.Path || found[0].Dev != o.Dev || found[0].Ino != o.Ino) {
			err = fmt.Errorf("what lies at %s now is not what was touched", capability.Printable(path))
		}
		return found, err
	}
	return []enforce.Object{o}, nil
}

// arrive compiles a grant into the view as it is. It is called with showing
// held.
func (t *toucher) arrive(c capability.Capability, objects []enforce.Object, grants []grant.Grant) ([]enforce.Entry, error) {
	masks := enforce.Input{Effective: []capability.Capability{c}, Objects: map[string][]enforce.Object{c.String(): objects}}
	closed, err := t.s.masks(masks.Effective, grants)
	if err != nil {
		return nil, err
	}
	for _, d := range closed {
		if err := t.s.hidden(&masks, d); err != nil {
			return nil, err
		}
		masks.Masked = append(masks.Masked, d)
	}
	in := t.in
	in.Masked, in.Objects = masks.Masked, maps.Clone(t.in.Objects)
	for _, d := range masks.Masked {
		in.Objects[d.String()] = masks.Objects[d.String()]
	}
	if slices.ContainsFunc(objects, func(o enforce.Object) bool { return o.Dir }) { // a file has none inside
		sockets, err := view.Sockets()
		if err != nil {
			return nil, fmt.Errorf("look for sockets: %w", err)
		}
		in.Base.Sockets = slices.Concat(in.Base.Sockets, sockets)
	}
	return enforce.Later(in, c, objects)
}

// by is what covered a request.
func by(d decision.Decision) capability.Capability {
	if len(d.Reasons) == 0 {
		return capability.Capability{}
	}
	return d.Reasons[0].By
}
