package manifest

import (
	"slices"

	"github.com/tailscale/hujson"
)

// Without returns the text of an ambit.json without some of its wants: those of
// which drop, told their place in Manifest.Wants, says so, but none of a zone. All else stays as it is
// written; a comment that stands before a want goes with it.
func Without(text []byte, drop func(i int) bool) ([]byte, error) {
	r := reader{file: File, data: text}
	root, err := r.root()
	if err != nil {
		return nil, err
	}
	if err := r.manifest(&Manifest{}, root); err != nil {
		return nil, err
	}
	members := root.Value.(*hujson.Object).Members //nolint:forcetypeassert // it is a manifest
	for _, m := range members {
		if name := m.Name.Value.(hujson.Literal); name.String() != "capabilities" { //nolint:forcetypeassert // JSON has no other names
			continue
		}
		a := m.Value.Value.(*hujson.Array) //nolint:forcetypeassert // it is a manifest
		place := -1
		a.Elements = slices.DeleteFunc(a.Elements, func(hujson.Value) bool {
			place++
			return drop(place)
		})
	}
	return root.Pack(), nil
}
