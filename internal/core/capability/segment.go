package capability

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// segment is what stands between two slashes of a pattern.
type segment struct {
	deep  bool   // **
	lit   string // a plain name, unescaped, if elems is nil
	elems []elem
}

// elem is one step of a segment with glob characters: any number of symbols, or
// one symbol of a set.
type elem struct {
	star bool
	set  set
}

// set is a set of symbols as ranges, in order and apart from each other. A
// symbol is a character of UTF-8 or, from badByte on, a byte that is none: so
// ? and [!…] match every name there can be.
type set []span

type span struct{ lo, hi rune }

const (
	badByte = utf8.MaxRune + 1
	maxSym  = badByte + 0xff
)

var anySymbol = set{{0, maxSym}}

func (s segment) literal() bool { return !s.deep && s.elems == nil }
func (s segment) glob() bool    { return !s.literal() }

// any reports whether s is *, which matches every name.
func (s segment) any() bool { return len(s.elems) == 1 && s.elems[0].star }

// named reports whether s says something about a name: it holds a character of
// its own, and not only dots.
func (s segment) named() bool {
	if s.literal() {
		return true
	}
	return slices.ContainsFunc(s.elems, func(e elem) bool { return e.single() && e.set[0].lo != '.' })
}

func (e elem) single() bool { return len(e.set) == 1 && e.set[0].lo == e.set[0].hi }

// size is the least number of bytes that a name matching s has.
func (s segment) size() int {
	n := len(s.lit)
	for _, e := range s.elems {
		switch {
		case e.star:
		case e.single() && e.set[0].lo < badByte:
			n += utf8.RuneLen(e.set[0].lo)
		default:
			n++
		}
	}
	return n
}

// symbol decodes the first symbol of a text that is not empty.
func symbol(text string) (sym rune, n int) {
	r, n := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && n == 1 {
		return badByte + rune(text[0]), 1
	}
	return r, n
}

func appendSymbol(b []byte, sym rune) []byte {
	if sym >= badByte {
		return append(b, byte(sym-badByte))
	}
	return utf8.AppendRune(b, sym)
}

// match compares one name with s, which is not **. As in matchNames, only the
// last star needs a second try.
func (s segment) match(name string) bool {
	if s.elems == nil {
		return s.lit == name
	}
	i, rest := 0, name
	star, from := -1, ""
	for i < len(s.elems) || rest != "" {
		if i < len(s.elems) && s.elems[i].star {
			star, from = i, rest
			i++
			continue
		}
		if i < len(s.elems) && rest != "" {
			if sym, n := symbol(rest); s.elems[i].set.has(sym) {
				i, rest = i+1, rest[n:]
				continue
			}
		}
		if star < 0 || from == "" {
			return false
		}
		_, n := symbol(from)
		from = from[n:]
		i, rest = star+1, from
	}
	return true
}

func (s set) has(sym rune) bool { return s.covers(set{{sym, sym}}) }

// covers reports whether each range of o lies within one of s: enough, because
// ranges of a set do not touch.
func (s set) covers(o set) bool {
	for _, b := range o {
		if !slices.ContainsFunc(s, func(a span) bool { return a.lo <= b.lo && b.hi <= a.hi }) {
			return false
		}
	}
	return true
}

func (s set) complement() set {
	var out set
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= maxSym {
		out = append(out, span{next, maxSym})
	}
	return out
}

// merged sorts ranges and joins those that touch.
func (s set) merged() set {
	slices.SortFunc(s, func(a, b span) int { return int(a.lo - b.lo) })
	out := s[:1]
	for _, r := range s[1:] {
		if last := &out[len(out)-1]; r.lo <= last.hi+1 {
			last.hi = max(last.hi, r.hi)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// String returns the canonical text of s.
func (s segment) String() string {
	if s.deep {
		return "**"
	}
	if s.elems == nil {
		return string(escape(nil, s.lit, `*?[\`))
	}
	var b []byte
	for _, e := range s.elems {
		b = e.append(b)
	}
	return string(b)
}

func (e elem) append(b []byte) []byte {
	switch {
	case e.star:
		return append(b, '*')
	case slices.Equal(e.set, anySymbol):
		return append(b, '?')
	case e.single():
		return escape(b, string(appendSymbol(nil, e.set[0].lo)), `*?[\`)
	}
	b = append(b, '[')
	ranges := e.set
	if ranges[len(ranges)-1].hi == maxSym { // only a negated set holds the last symbol
		b = append(b, '!')
		ranges = ranges.complement()
	}
	for _, r := range ranges {
		b = escape(b, string(r.lo), `[]\-!^`)
		if r.hi > r.lo {
			b = append(b, '-')
			b = escape(b, string(r.hi), `[]\-!^`)
		}
	}
	return append(b, ']')
}

func escape(b []byte, text, special string) []byte {
	for i := range len(text) {
		if strings.IndexByte(special, text[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return b
}
