//go:build linux

package row

import (
	"errors"
	"fmt"
	"sync"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/zone"
)

// Zones are the append-only zones of one sandbox, served by this process.
type Zones struct {
	zones  []*zone.Zone // in the order of the plan
	served sync.WaitGroup
}

// OpenZones opens what is to be served, for mounts whose user namespace shows owners
// as ids say; nil where the plan has none of it.
func OpenZones(p enforce.Plan, ids IDs) (*Zones, error) {
	var s *Zones
	for i := range p.View {
		e := &p.View[i]
		if e.Op != enforce.OpAppend {
			continue
		}
		var denied []zone.Denied
		for _, d := range e.Denied {
			denied = append(denied, zone.Denied(d))
		}
		z, err := zone.Open(zone.Config{Denied: denied, Path: e.Source, Dev: e.Dev, Ino: e.Ino, Read: e.Read, Single: ids.Single,
			UID: uint32(ids.UID), GID: uint32(ids.GID), Late: ids.Late, Bytes: e.Size, Files: e.Files})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make %s append-only: %w", e.Path, err), s.End())
		}
		if s == nil {
			s = &Zones{}
		}
		s.zones = append(s.zones, z)
	}
	return s, nil
}

// Take takes the devices off the line, in the order in which the row sends them, and
// begins to serve: the row walks to its working directory, which may be in one.
func (s *Zones) Take(descriptor func() (int, error)) error {
	if s == nil {
		return nil
	}
	for _, z := range s.zones {
		fd, err := descriptor()
		if err == nil {
			err = z.Take(fd)
		}
		if err != nil {
			return fmt.Errorf("serve what is append-only: %w", err)
		}
		s.served.Go(func() { _ = z.Serve() }) // whatever ends it, every call in the zone fails
	}
	return nil
}

// End stops serving; the sandbox is gone, or nothing of it was made.
func (s *Zones) End() (err error) {
	if s == nil {
		return nil
	}
	for _, z := range s.zones {
		z.Stop()
	}
	s.served.Wait()
	for _, z := range s.zones {
		err = errors.Join(err, z.Close())
	}
	s.zones = nil
	return err
}
