//go:build linux

package row

import (
	"errors"
	"fmt"
	"path"
	"sync"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/zone"
)

// A Server serves one mount of a view over the device that it takes.
type Server interface {
	Take(dev int) error
	Serve() error
	Stop()
	Close() error
}

// Zones are the append-only and bounded zones of one sandbox, and its folder of what is stored,
// served by this process.
type Zones struct {
	servers []Server // in the order of the plan
	served  sync.WaitGroup
}

// OpenZones opens what is to be served, for mounts whose user namespace shows owners
// as ids say; nil where the plan has none of it. stored opens the folder of what is
// stored, nil in a tier that has none.
func OpenZones(p enforce.Plan, ids IDs, stored func(IDs) (Server, error)) (*Zones, error) {
	var s *Zones
	for i := range p.View {
		e := &p.View[i]
		if e.Op != enforce.OpAppend && e.Op != enforce.OpBounded && e.Op != enforce.OpStored {
			continue
		}
		one, err := open(e, ids, stored)
		if err != nil {
			return nil, errors.Join(err, s.End())
		}
		if s == nil {
			s = &Zones{}
		}
		s.servers = append(s.servers, one)
	}
	return s, nil
}

func open(e *enforce.Entry, ids IDs, stored func(IDs) (Server, error)) (Server, error) {
	switch {
	case e.Op == enforce.OpAppend || e.Op == enforce.OpBounded:
		var denied []zone.Denied
		for _, d := range e.Denied {
			denied = append(denied, zone.Denied(d))
		}
		z, err := zone.Open(zone.Config{Denied: denied, Path: e.Source, Dev: e.Dev, Ino: e.Ino, Read: e.Read, Change: e.Op == enforce.OpBounded, Single: ids.Single,
			UID: uint32(ids.UID), GID: uint32(ids.GID), Late: ids.Late, Bytes: e.Size, Files: e.Files, Tally: e.Tally})
		if err != nil {
			return nil, fmt.Errorf("make %s %s: %w", e.Path, e.Op, err)
		}
		return &served{z, e}, nil
	case stored == nil:
		return nil, errors.New("internal error: a plan with what is stored, of another tier")
	}
	return stored(ids)
}

// Take takes the devices off the line, in the order in which the row sends them, and
// begins to serve: the row walks to its working directory, which may be in one.
func (s *Zones) Take(descriptor func() (int, error)) error {
	if s == nil {
		return nil
	}
	for _, one := range s.servers {
		fd, err := descriptor()
		if err == nil {
			err = one.Take(fd)
		}
		if err != nil {
			return fmt.Errorf("serve what is append-only or stored: %w", err)
		}
		s.served.Go(func() { _ = one.Serve() }) // whatever ends it, every call in it fails
	}
	return nil
}

// Full says in words which bounds were reached, in the order of the plan. It may be
// called until End.
func (s *Zones) Full() (all []string) {
	if s == nil {
		return nil
	}
	for _, one := range s.servers {
		z, ok := one.(*served)
		if !ok {
			continue
		}
		bytes, files := z.Full()
		name := path.Base(z.at.Path)
		if bytes {
			all = append(all, fmt.Sprintf("limit disk.%s of %d bytes reached: writes to %s were refused", name, z.at.Size, z.at.Path))
		}
		if files {
			all = append(all, fmt.Sprintf("limit files.%s of %d reached: making more in %s was refused", name, z.at.Files, z.at.Path))
		}
	}
	return all
}

// served is a zone with its entry.
type served struct {
	*zone.Zone
	at *enforce.Entry
}

// End stops serving; the sandbox is gone, or nothing of it was made.
func (s *Zones) End() (err error) {
	if s == nil {
		return nil
	}
	for _, one := range s.servers {
		one.Stop()
	}
	s.served.Wait()
	for _, one := range s.servers {
		err = errors.Join(err, one.Close())
	}
	s.servers = nil
	return err
}
