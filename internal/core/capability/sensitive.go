package capability

import (
	"path"
	"slices"
	"strings"
)

// Sensitive reports whether an absolute path is on the list of secrets, or
// beneath a place that is, and says what is there: "SSH keys". Case makes no
// difference. Pass the path without links; home may be "".
//
// Security: it is a reason for caution, never a boundary. What it knows nothing
// of may be a secret all the same, so nothing is permitted because of it.
func Sensitive(absolute, home string) (why string, ok bool) {
	p := foldedNames(absolute)
	homes := inHomes(p, home)
	own := unpublished(p)
	for _, row := range secretList {
		if row.holds(p, own, homes) {
			return row.why, true
		}
	}
	return "", false
}

// AboveSensitive reports whether a directory is a home, stands above one, or
// above a fixed place of the list, and says what would come along with it.
// Files that only their names give away may lie anywhere, and are not its
// subject.
func AboveSensitive(dir, home string) (why string, ok bool) {
	p := foldedNames(dir)
	for _, h := range homesOf(home) {
		if leadsTo(p, h) {
			return "a whole home", true
		}
	}
	for _, row := range secretList {
		if row.below(p, inHomes(p, home)) {
			return row.why, true
		}
	}
	return "", false
}

// holds reports whether p lies in one of the row's places. Of p own names stand
// before what somebody published; homes are the same path as it reads from each
// home that it is in.
func (row secrets) holds(p []string, own int, homes [][]string) bool {
	for _, place := range row.anywhere {
		for i := range own {
			if begins(place, p[i]) && inPlace(p[i:], place) {
				return true
			}
		}
	}
	for _, rest := range homes {
		for _, place := range row.home {
			if inPlace(rest, place) {
				return true
			}
		}
	}
	for _, place := range row.system {
		if len(p) > 0 && begins(place[1:], p[0]) && inPlace(p, place[1:]) {
			return true
		}
	}
	for _, name := range row.names {
		for _, n := range p[:own] {
			if same(name, n) && !slices.Contains(harmless, n) {
				return true
			}
		}
	}
	return false
}

// below reports whether one of the row's fixed places lies beneath p.
func (row secrets) below(p []string, homes [][]string) bool {
	for _, rest := range homes {
		for _, places := range [][]string{row.anywhere, row.home} {
			for _, place := range places {
				if leadsTo(rest, place) {
					return true
				}
			}
		}
	}
	for _, place := range row.system {
		if leadsTo(p, place[1:]) {
			return true
		}
	}
	return false
}

// foldedNames splits a path into its names, in lower case: some file systems do
// not tell the cases apart, and no secret is lost by asking once too often.
func foldedNames(absolute string) []string {
	return splitNames(strings.ToLower(path.Clean("/" + absolute)))
}

// homesOf lists where homes are, as places: the one that is given, and those
// that everybody else's are.
func homesOf(home string) []string {
	places := []string{"root", "home/*", "var/home/*", "users/*"}
	if p := foldedNames(home); len(p) > 0 {
		places = append(places, literalPlace(p))
	}
	return places
}

// literalPlace writes names as a place, in which no character is special.
func literalPlace(names []string) string {
	return string(escape(nil, strings.Join(names, "/"), `*?[\`))
}

// inHomes returns what of p is left below each home that it is in.
func inHomes(p []string, home string) (rest [][]string) {
	for _, h := range homesOf(home) {
		if inPlace(p, h) {
			rest = append(rest, p[1+strings.Count(h, "/"):])
		}
	}
	return rest
}

// unpublished returns how many names of p stand before what somebody published.
func unpublished(p []string) int {
	for _, place := range published {
		if inPlace(p, place[1:]) {
			return 0
		}
	}
	for i := range p {
		for _, place := range shipped {
			if inPlace(p[i:], place) {
				return i
			}
		}
	}
	return len(p)
}

// inPlace reports whether p is the place, or beneath it.
func inPlace(p []string, place string) bool {
	for i := 0; ; i++ {
		name, rest, more := strings.Cut(place, "/")
		if i == len(p) || !same(name, p[i]) {
			return false
		}
		if !more {
			return true
		}
		place = rest
	}
}

// leadsTo reports whether the place is p, or beneath it.
func leadsTo(p []string, place string) bool {
	for i := 0; ; i++ {
		if i == len(p) {
			return true
		}
		name, rest, more := strings.Cut(place, "/")
		if !same(name, p[i]) {
			return false
		}
		if !more {
			return i+1 == len(p)
		}
		place = rest
	}
}

// begins reports whether the first two characters of a place, which are never
// special, are those of a name. It spares most comparisons.
func begins(place, name string) bool {
	return place[0] == name[0] && (len(name) == 1 || place[1] == name[1])
}

// same compares one name of a place with one of a path.
func same(pattern, name string) bool {
	const special = `*?[\`
	last := len(pattern) - 1
	switch {
	case pattern[0] != name[0] && strings.IndexByte(special, pattern[0]) < 0: // as nearly all
		return false
	case pattern[last] != name[len(name)-1] && strings.IndexByte(special+"]", pattern[last]) < 0:
		return false
	case !strings.ContainsAny(pattern, special):
		return pattern == name
	}
	ok, err := path.Match(pattern, name)
	return ok || err != nil // closed, though the list has none that is malformed
}
