package pack

import (
	"cmp"
	"slices"
	"strings"
)

// CompareVersions orders the versions of a pack: -1 where a is older than b, 0 where
// they are one version, 1 where a is newer. It is the order of Semantic Versioning
// 2.0.0, of any number of numbers and with or without a v before them: what lacks is 0,
// and what stands behind a + says nothing. No version is older than any.
//
// ok is false where one of them is no such version and they differ: then nothing says
// which is older.
func CompareVersions(a, b string) (order int, ok bool) {
	if a == b {
		return 0, true
	}
	v, vOK := parseVersion(a)
	w, wOK := parseVersion(b)
	if !vOK || !wOK {
		return 0, false
	}
	if order := compareParts(v.numbers, w.numbers, "0"); order != 0 {
		return order, true
	}
	switch {
	case v.before == nil && w.before == nil:
		return 0, true
	case v.before == nil: // what is released is newer than what comes before it
		return 1, true
	case w.before == nil:
		return -1, true
	}
	return compareParts(v.before, w.before, ""), true
}

// version is one that has an order.
type version struct {
	numbers []string // none: there is no version
	before  []string // identifiers of what is not released yet; nil: it is
}

func parseVersion(text string) (v version, ok bool) {
	if text == "" {
		return v, true
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "+")
	text, before, early := strings.Cut(text, "-")
	v.numbers = strings.Split(text, ".")
	if slices.ContainsFunc(v.numbers, func(n string) bool { return !number(n) }) {
		return v, false
	}
	if early {
		v.before = strings.Split(before, ".")
	}
	other := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	}
	return v, !slices.ContainsFunc(v.before, func(id string) bool { return id == "" || strings.ContainsFunc(id, other) })
}

// number reports whether a part is digits alone.
func number(part string) bool { return part != "" && strings.Trim(part, "0123456789") == "" }

// compareParts orders parts one after the other. Where one has no more, it has lacking
// there; "" is less than all.
func compareParts(a, b []string, lacking string) int {
	if len(a) == 0 || len(b) == 0 { // no version is no number 0
		return cmp.Compare(len(a), len(b))
	}
	for i := range max(len(a), len(b)) {
		x, y := lacking, lacking
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if order := comparePart(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// comparePart orders numbers by what they are, before words, which go by their bytes.
func comparePart(x, y string) int {
	if number(x) && number(y) {
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	}
	switch {
	case x == "" || y == "":
		return cmp.Compare(len(x), len(y))
	case number(x):
		return -1
	case number(y):
		return 1
	}
	return cmp.Compare(x, y)
}
