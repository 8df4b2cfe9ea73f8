package capability

import (
	"path"
	"strings"
)

// Pattern is a parsed path scope. It covers each path that it matches and
// everything beneath. Within a segment * stands for any bytes, ? for one
// character, […] for one of a set; a segment ** stands for any number of
// segments. Unlike in a shell, * and ? also match a leading dot. The zero value
// matches nothing.
type Pattern struct {
	anchor anchor
	segs   []segment
}

// anchor is where a path scope starts.
type anchor uint8

const (
	nowhere  anchor = iota // the zero Pattern
	absolute               // /
	home                   // ~
	relative               // the pack, or the working directory
)

// Pattern returns the scope of c as a pattern; ok is false if it is no path.
func (c Capability) Pattern() (p Pattern, ok bool) {
	if r, known := find(c.kind); known && r.path && c.scope != "" {
		return r.parsed(c.scope).(Pattern), true
	}
	return Pattern{}, false
}

// String returns the canonical text.
func (p Pattern) String() string {
	texts := make([]string, len(p.segs))
	for i, s := range p.segs {
		texts[i] = s.String()
	}
	rest := strings.Join(texts, "/")
	switch {
	case p.anchor == absolute:
		return "/" + rest
	case p.anchor == home && rest == "":
		return "~"
	case p.anchor == home:
		return "~/" + rest
	case rest == "":
		return "."
	case rest[0] == '~' || rest[0] == ' ': // would be read as something else
		return "./" + rest
	default:
		return rest
	}
}

// Literal returns the one path that an absolute pattern without glob characters
// names, unescaped. Everything beneath it is covered too.
func (p Pattern) Literal() (path string, ok bool) {
	if p.anchor != absolute || p.literals() < len(p.segs) {
		return "", false
	}
	return p.Root(), true
}

// Root returns the longest prefix of an absolute pattern that has no glob
// character, unescaped: of /a/*/b it is /a, of a literal the path itself. It is
// "" for a pattern that is not resolved.
func (p Pattern) Root() string {
	if p.anchor != absolute {
		return ""
	}
	var b strings.Builder
	for _, s := range p.segs[:p.literals()] {
		b.WriteString("/" + s.lit)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// literals returns how many segments stand before the first glob.
func (p Pattern) literals() int {
	for i, s := range p.segs {
		if !s.literal() {
			return i
		}
	}
	return len(p.segs)
}

// Match reports whether an absolute path matches, or lies beneath a match.
//
// Security: path is compared as text, after "." and ".." are taken out. The
// caller has resolved symbolic links before, or what is opened may be another.
func (p Pattern) Match(path string) bool { return p.match(path, true) }

// MatchExact reports whether an absolute path matches itself, not by lying
// beneath a match. It serves to expand a pattern into the paths that exist.
func (p Pattern) MatchExact(path string) bool { return p.match(path, false) }

func (p Pattern) match(name string, beneath bool) bool {
	if p.anchor != absolute || !strings.HasPrefix(name, "/") {
		return false
	}
	return matchNames(p.segs, splitNames(name), beneath)
}

// splitNames returns the names of an absolute path.
func splitNames(name string) []string {
	name = strings.Trim(path.Clean(name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// matchNames compares names with segments. Only the last ** that was met needs
// to be tried again with one name more: whatever an earlier one could take, the
// later one can take as well.
func matchNames(segs []segment, names []string, beneath bool) bool {
	i, j := 0, 0
	star, from := -1, 0
	for {
		switch {
		case i == len(segs) && (beneath || j == len(names)):
			return true
		case i < len(segs) && segs[i].deep:
			star, from = i, j
			i++
			continue
		case i < len(segs) && j < len(names) && segs[i].match(names[j]):
			i, j = i+1, j+1
			continue
		case star < 0 || from == len(names):
			return false
		}
		from++
		i, j = star+1, from
	}
}

// Covers reports whether every path below o's matches is below one of p's.
func (p Pattern) Covers(o scope) bool {
	q := o.(Pattern)
	if p.anchor != q.anchor {
		return false
	}
	if n := q.literals(); n == len(q.segs) {
		return matchNames(p.segs, q.names(), true)
	}
	return included(q.segs, p.segs, true)
}

func (p Pattern) names() []string {
	names := make([]string, len(p.segs))
	for i, s := range p.segs {
		names[i] = s.lit
	}
	return names
}

// Broad marks a whole home, a directory of the root, and patterns that name
// nothing inside one.
func (p Pattern) Broad() bool {
	segs := p.segs
	switch p.anchor {
	case home:
	case absolute:
		if segs[0].glob() {
			return true
		}
		switch n := len(segs); {
		case segs[0].lit == "home" || segs[0].lit == "Users":
			segs = segs[1:]
		case n > 1 && segs[0].lit == "var" && segs[1].lit == "home":
			segs = segs[2:]
		}
		if len(segs) == 0 || segs[0].glob() {
			return true
		}
		segs = segs[1:]
	default:
		return false
	}
	for _, s := range segs {
		if s.named() {
			return false
		}
	}
	return true
}
