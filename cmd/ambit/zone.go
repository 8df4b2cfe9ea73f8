package main

import (
	"fmt"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// zonesFolder, in the state directory, has a folder for each pack, and in it one for
// each of its zones.
const zonesFolder = "workspaces"

// zoneReport is what is said of a zone that a pack declares.
type zoneReport struct {
	Name  string `json:"name"`
	Mode  string `json:"mode"`
	Path  string `json:"path"`         // in the view
	Of    string `json:"of,omitempty"` // the folder of the host that it shows a copy of
	Disk  string `json:"disk,omitempty"`
	Files string `json:"files,omitempty"`
}

func zoneReports(m manifest.Manifest) (all []zoneReport) {
	for _, z := range m.Zones {
		all = append(all, zoneReport{z.Name, z.Mode, z.Path(), z.Of, z.Disk, z.Files})
	}
	return all
}

// allVolumes are those that flags name, and the zones of the manifest.
func (s *prepared) allVolumes() []volume { return slices.Concat(s.volumes, s.zones) }

// placesZone reports whether c is where a zone of the manifest is seen, which is a
// path of the view alone.
func (s *prepared) placesZone(c capability.Capability) bool { return s.zoneWant(c) >= 0 }

// zoneWant is which of the manifest's wants places a zone and is c; -1: none.
func (s *prepared) zoneWant(c capability.Capability) int {
	return slices.IndexFunc(s.manifest.Wants, func(w manifest.Want) bool { return w.Zone != "" && !w.Source && w.Capability == c })
}

// fitsZone refuses to show a volume in the place of a zone by a wider rule than the
// pack declares: ro is no wider than any other, and cow is no wider than rw.
func (s *prepared) fitsZone(dst, mode string) error {
	z, ok := s.manifest.ZoneAt(dst)
	if !ok || mode == z.Mode || mode == volumeReadOnly || mode == volumeCopied && z.Mode == volumeWritable {
		return nil
	}
	return fmt.Errorf("the pack declares the zone %s as %s", z.Name, z.Mode)
}

// grantedZones are the zones of the manifest that no flag has named and for which all
// that they take was granted.
//
// Security: closed by default. A zone without its grants is not there, and its place
// never leads to the host's path of that name.
func (s *prepared) grantedZones(effective []capability.Capability) (all []volume, err error) {
	for _, z := range s.manifest.Zones {
		named := slices.ContainsFunc(s.volumes, func(v volume) bool { return v.shown.Target == z.Path() })
		var wants []manifest.Want
		granted := true
		for _, w := range s.manifest.Wants {
			if w.Zone == z.Name {
				wants = append(wants, w)
				granted = granted && slices.Contains(effective, w.Capability)
			}
		}
		if named || !granted {
			continue
		}
		o, err := s.zoneSource(z, wants)
		if err != nil {
			return nil, fmt.Errorf("the zone %s: %w", z.Name, err)
		}
		all = append(all, zoneVolumes(z, wants, o)...)
	}
	return all, nil
}

// zoneSource is the folder of the host that a zone shows: the one that it names, or
// one that is kept for it.
func (s *prepared) zoneSource(z manifest.Zone, wants []manifest.Want) (enforce.Object, error) {
	if i := slices.IndexFunc(wants, func(w manifest.Want) bool { return w.Source }); i >= 0 {
		pattern, _ := wants[i].Capability.Pattern()
		path, _ := pattern.Literal()
		return view.Resolve(path)
	}
	dir, err := s.packFolder(zonesFolder, z.Name)
	if err != nil {
		return enforce.Object{}, err
	}
	return view.Resolve(dir)
}

// zoneVolumes show a zone. What it takes beside the first is said, and shows nothing.
func zoneVolumes(z manifest.Zone, wants []manifest.Want, o enforce.Object) (all []volume) {
	for _, w := range wants {
		if w.Source {
			continue
		}
		all = append(all, volume{target: w.Capability, apart: z.Mode == volumeCopied, beside: len(all) > 0,
			shown: enforce.Volume{Source: o, Target: z.Path(), Write: z.Mode == volumeWritable, Append: z.Mode == volumeAppended}})
	}
	return all
}

// zoneAlone shows the zone that c is for, to find out whether that can be done here.
// The pack's own folder stands for the one that nobody has made yet.
func (s *prepared) zoneAlone(c capability.Capability) ([]volume, error) {
	i := s.zoneWant(c)
	if i < 0 {
		return nil, nil
	}
	z, _ := s.manifest.ZoneAt(manifest.Zone{Name: s.manifest.Wants[i].Zone}.Path()) // each want of a zone has one
	o, err := view.Resolve(s.packDir)
	return zoneVolumes(z, s.manifest.Wants[i:i+1], o), err
}

// zoneObjects are the places of zones in the view, by what has to be granted for them.
func (s *prepared) zoneObjects() map[capability.Capability][]enforce.Object {
	all := map[capability.Capability][]enforce.Object{}
	for _, v := range s.zones {
		z, _ := s.manifest.ZoneAt(v.shown.Target) // it was made of that
		for _, w := range s.manifest.Wants {
			if w.Zone == z.Name && !v.beside {
				all[w.Capability] = []enforce.Object{{Path: z.Path(), Dir: true}}
			}
		}
	}
	return all
}

// deniedInZone refuses a denial of something in a zone by its place there: denials
// close what lies on the host.
func (s *prepared) deniedInZone(masked []capability.Capability) error {
	for _, d := range masked {
		for _, v := range s.zones {
			if v.target.Covers(d) {
				return &enforce.CannotEnforce{Capability: "the denial of " + d.Display(), Why: "it lies in the zone at " + v.shown.Target + "; deny all of that, or what it leads to on the host"}
			}
		}
	}
	return nil
}

// boundDeclared gives volumes in the place of zones the bounds of the manifest. What
// is shown to be read grows by nobody.
func (s *prepared) boundDeclared(volumes []enforce.Volume) (err error) {
	for i := range volumes {
		v := &volumes[i]
		z, ok := s.manifest.ZoneAt(v.Target)
		if !ok || !v.Write && !v.Append && v.Changes == "" {
			continue
		}
		if z.Disk != "" {
			v.Bytes, err = parseSize(z.Disk)
		}
		if z.Files != "" && err == nil {
			v.Files, err = parseCount(z.Files)
		}
		if err != nil {
			return fmt.Errorf("manifest: the zone %s: %w", z.Name, err)
		}
	}
	return nil
}
