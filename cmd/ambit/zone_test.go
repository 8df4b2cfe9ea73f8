package main

import (
	"slices"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// The place of a zone is never the host's path of that name: neither where it is
// granted and not shown, nor where only some of what it takes is granted.
func TestZonePlace(t *testing.T) {
	m, err := manifest.Parse("ambit.json", []byte(`{"id": "a", "kind": "cli-tool", "entry": ["x"], "capabilities": ["fs.read:/srv"],
		"zones": {"s": {"mode": "append"}, "o": {"mode": "rw"}, "t": {"mode": "cow", "of": "/srv/t"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &prepared{manifest: m}
	all := func(texts ...string) (caps []capability.Capability) {
		for _, text := range texts {
			c, err := capability.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			caps = append(caps, c)
		}
		return caps
	}
	got := s.withoutVolumes(all("fs.read:/srv", "fs.append:/zones/s", "fs.read:/zones/s", "fs.write:/zones/o", "fs.write:/zones/t", "fs.read:/srv/t"))
	if want := all("fs.read:/srv", "fs.read:/srv/t"); !slices.Equal(got, want) {
		t.Errorf("of the host is shown %v", got)
	}
	for _, some := range [][]string{{"fs.append:/zones/s"}, {"fs.read:/zones/s"}, {"fs.write:/zones/t"}, {"fs.read:/srv/t"}, nil} {
		if zones, err := s.grantedZones(all(some...)); err != nil || len(zones) > 0 {
			t.Errorf("%q shows %v, %v", some, zones, err)
		}
	}
	for dst, modes := range map[string]map[string]bool{
		"/zones/s": {"ro": true, "append": true}, "/zones/o": {"ro": true, "rw": true, "cow": true}, "/zones/t": {"ro": true, "cow": true},
		"/zones/other": {"ro": true, "rw": true, "append": true, "cow": true},
	} {
		for _, mode := range []string{"ro", "rw", "append", "cow"} {
			if err := s.fitsZone(dst, mode); (err == nil) != modes[mode] {
				t.Errorf("%s as %s: %v", dst, mode, err)
			}
		}
	}
}
