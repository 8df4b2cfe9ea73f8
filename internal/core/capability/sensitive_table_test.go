package capability

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// A place that is spelled in another way than the list wants is never found.
func TestTheListOfSecretsIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range secretList {
		if row.why == "" {
			t.Errorf("a row does not say what it is about: %v", row)
		}
		for _, place := range slices.Concat(row.anywhere, row.home, row.system, row.names) {
			rest, absolute := strings.CutPrefix(place, "/")
			if absolute != slices.Contains(row.system, place) || rest == "" || strings.Join(splitNames(rest), "/") != rest {
				t.Errorf("%q is no place of its kind", place)
			}
			if name := strings.TrimPrefix(place, "/"); !slices.Contains(row.names, place) && strings.ContainsAny(name[:2], `*?[\`) {
				t.Errorf("%q begins with what is special", place)
			}
			if strings.ToLower(place) != place {
				t.Errorf("%q is not in lower case", place)
			}
			if _, err := path.Match(place, "x"); err != nil {
				t.Errorf("%q: %v", place, err)
			}
			if seen[place] {
				t.Errorf("%q stands there twice", place)
			}
			seen[place] = true
		}
		for _, place := range row.anywhere {
			if place[0] != '.' && place[0] != '_' {
				t.Errorf("%q is to be found anywhere, and its first name is not hidden", place)
			}
		}
		for _, name := range row.names {
			if strings.Contains(name, "/") {
				t.Errorf("%q is no single name", name)
			}
		}
	}
}

// Each place of the list is found by its own spelling, below a home that is at
// no usual place.
func TestEachPlaceIsFound(t *testing.T) {
	const home = "/srv/people/u"
	plain := strings.NewReplacer("*", "x")
	for _, row := range secretList {
		for _, place := range slices.Concat(row.anywhere, row.home, row.names) {
			if why, ok := Sensitive(home+"/"+plain.Replace(place), home); !ok {
				t.Errorf("%s of %q is not found: %q", place, row.why, why)
			}
		}
		for _, place := range row.system {
			if _, ok := Sensitive(plain.Replace(place), ""); !ok {
				t.Errorf("%s is not found", place)
			}
		}
	}
}
