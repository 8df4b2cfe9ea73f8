package manifest_test

import (
	"fmt"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// A zone declares the capabilities that it takes and no more, and says in words what
// it is.
func TestZones(t *testing.T) {
	m, err := manifest.Parse("ambit.json", []byte(accepted["zones"]))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range m.Wants {
		got = append(got, fmt.Sprintf("%s|%s|%v|%v", w.Capability.Display(), w.Zone, w.Optional, m.Describe(w)))
	}
	want := []string{
		"fs.read:~/a||false|read ~/a",
		"fs.write:/zones/output|output|true|read and change /zones/output (its zone output: a folder that is kept for it, or that you name; at most 100M; at most 1000 files)",
		"fs.append:/zones/store|store|false|create and append to /zones/store (its zone store: a folder that is kept for it, or that you name)",
		"fs.read:/zones/store|store|false|read /zones/store (its zone store: a folder that is kept for it, or that you name)",
		"fs.write:/zones/tree|tree|false|read and change /zones/tree (its zone tree: what it changes of ~/project is kept apart until you apply it; at most 1G)",
		"fs.read:~/project|tree|false|read ~/project (its zone tree: a copy is shown there)",
		"fs.read:/zones/up-load|up-load|false|read /zones/up-load (its zone up-load: a folder that is kept for it, or that you name)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if z, ok := m.ZoneAt("/zones/output"); !ok || z.Name != "output" || z.Files != "1000" {
		t.Errorf("at /zones/output is %+v", z)
	}
	if z, ok := m.ZoneAt("/zones/output/x"); ok {
		t.Errorf("beneath it is %+v", z)
	}
	// The rule of a zone is what can be granted, and nothing beyond.
	for text, declared := range map[string]bool{"fs.write:/zones/output/a": true, "fs.append:/zones/store/a": true, "fs.write:/zones/store": false,
		"fs.write:/zones/up-load": false, "fs.write:~/project": false, "fs.write:/zones": false, "fs.read:/zones/other": false} {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Declares(c); ok != declared {
			t.Errorf("%s is declared: %v", text, ok)
		}
	}
}
