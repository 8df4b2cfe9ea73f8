package capability

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPath is the longest path, in bytes as the kernel counts them: PATH_MAX of
// linux/limits.h. Longer ones are refused, never cut.
const maxPath = 4096

// parsePath reads a path scope.
func parsePath(text string) (scope, *fault) {
	raw, offset := unescapeHex(text)
	p, f := parsePattern(raw)
	if f != nil {
		f.offset = offset(f.offset)
		return nil, f
	}
	if f := p.check(); f != nil {
		return nil, f
	}
	return p, nil
}

func parsePattern(text string) (Pattern, *fault) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return Pattern{}, faultf(i, "expected a path without NUL, which no path can hold")
	}
	p, rest := Pattern{anchor: relative}, text
	switch {
	case text[0] == '/':
		p.anchor = absolute
	case text == "~" || strings.HasPrefix(text, "~/"):
		p.anchor, rest = home, text[1:]
	case text[0] == '~':
		return p, faultf(1, "expected ~/ for the home, or ./~ for a file whose name begins with ~")
	case text[0] == ' ':
		return p, faultf(0, "expected no space before the path (a relative name that begins with a space is written \"./ name\")")
	}
	at, up, globs := len(text)-len(rest), -1, false
	const usual = 16 // a text of slashes alone has no segment
	p.segs = make([]segment, 0, min(strings.Count(rest, "/")+1, usual))
	for name := range strings.SplitSeq(rest, "/") {
		switch name {
		case "", ".":
		case "..":
			if len(p.segs) == 0 {
				return p, faultf(at, "expected a path that stays below where it starts; this .. climbs above it")
			}
			up, p.segs = at, p.segs[:len(p.segs)-1]
		default:
			s, f := parseSegment(name)
			if f != nil {
				f.offset += at
				return p, f
			}
			globs = globs || s.glob()
			p.add(s)
		}
		at += len(name) + 1
	}
	if up >= 0 && globs {
		return p, faultf(up, "expected no .. in a path with * ? [ ] or **")
	}
	p.trim()
	return p, nil
}

// add appends a segment; ** twice in a row is ** once.
func (p *Pattern) add(s segment) {
	if n := len(p.segs); s.deep && n > 0 && p.segs[n-1].deep {
		return
	}
	p.segs = append(p.segs, s)
}

// trim takes ** off the end: a pattern covers what is beneath it anyway.
func (p *Pattern) trim() {
	if n := len(p.segs); n > 0 && p.segs[n-1].deep {
		p.segs = p.segs[:n-1]
	}
}

// check refuses patterns that are too long or stand for the file system as a
// whole.
func (p Pattern) check() *fault {
	size := 0
	for _, s := range p.segs {
		size += 1 + s.size()
	}
	if size > maxPath {
		return faultf(0, "expected a path of at most %d bytes, this one has %d", maxPath, size)
	}
	if p.everything() {
		return faultf(0, "expected a directory of / by name, or a name further down; %s is as wide as the whole file system", Printable(p.String()))
	}
	return nil
}

// everything reports whether an absolute pattern neither names a directory of
// the root nor anything further down.
func (p Pattern) everything() bool {
	if p.anchor != absolute || len(p.segs) > 0 && p.segs[0].literal() {
		return false
	}
	for i, s := range p.segs {
		if i > 0 && s.named() {
			return false
		}
	}
	return true
}

// unescapeHex replaces \xNN, in which Display writes bytes that do not print,
// by those bytes. Printing characters are not written so, which keeps an escape
// from ever standing for a slash or a glob character. offset turns a place in
// the result into one in text.
func unescapeHex(text string) (raw string, offset func(int) int) {
	if !strings.Contains(text, `\x`) {
		return text, func(i int) int { return i }
	}
	var b strings.Builder
	var from []int
	for i := 0; i < len(text); {
		n := 1
		c, ok := hexEscape(text[i:])
		switch {
		case ok:
			n = 4
			b.WriteByte(c)
		case text[i] == '\\' && i+1 < len(text): // not to take the x of \\x
			b.WriteString(text[i : i+2])
			from, n = append(from, i), 2
		default:
			b.WriteByte(text[i])
		}
		from = append(from, i)
		i += n
	}
	return b.String(), func(i int) int { return append(from, len(text))[min(i, len(from))] }
}

func hexEscape(s string) (c byte, ok bool) {
	if len(s) < 4 || s[:2] != `\x` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:4], 16, 8)
	return byte(n), err == nil && n != 0 && (n < ' ' || n > '~')
}

// Resolved reports whether c can be compared with what a program does: it is not
// zero, and its path, if it has one, is absolute.
func (c Capability) Resolved() bool {
	p, ok := c.Pattern()
	return !c.IsZero() && (!ok || p.anchor == absolute)
}

// Base is where "~" and relative paths start, as absolute paths.
type Base struct{ Home, Dir string }

// Resolve makes a path scope that starts at ~ or is relative absolute. Other
// capabilities are returned unchanged. It fails where the base is missing and
// where the result would be the whole file system.
func (c Capability) Resolve(b Base) (Capability, error) {
	p, ok := c.Pattern()
	if !ok {
		return c, nil
	}
	var base string
	switch p.anchor {
	case absolute:
		return c, nil
	case home:
		base = b.Home
	default:
		base = b.Dir
	}
	if !strings.HasPrefix(base, "/") {
		return Capability{}, fmt.Errorf("resolve %s: no absolute directory to start from, found %q", c.Display(), base)
	}
	q := Pattern{anchor: absolute, segs: append(literalSegments(base), p.segs...)}
	if f := q.check(); f != nil {
		return Capability{}, fmt.Errorf("resolve %s below %q: %s", c.Display(), base, f.msg)
	}
	return Capability{kind: c.kind, scope: q.String()}, nil
}

// ForPath returns the capability for one absolute path, whatever bytes it
// holds: glob characters lose their meaning.
func ForPath(k Kind, absolutePath string) (Capability, error) {
	text := absolutePath
	refuse := func(msg string) (Capability, error) {
		return Capability{}, &SyntaxError{Text: string(k) + ":" + text, Offset: len(k) + 1, Msg: msg}
	}
	r, ok := find(k)
	switch {
	case !ok || !r.path:
		return refuse("expected a kind that takes a path")
	case !strings.HasPrefix(text, "/"):
		return refuse("expected an absolute path")
	case strings.IndexByte(text, 0) >= 0:
		return refuse("expected a path without NUL, which no path can hold")
	}
	p := Pattern{anchor: absolute, segs: literalSegments(text)}
	if f := p.check(); f != nil {
		return refuse(f.msg)
	}
	return Capability{kind: k, scope: p.String()}, nil
}

func literalSegments(path string) []segment {
	names := splitNames(path)
	segs := make([]segment, len(names))
	for i, name := range names {
		segs[i].lit = name
	}
	return segs
}
