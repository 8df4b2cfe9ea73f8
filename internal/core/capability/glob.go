package capability

import (
	"strings"
	"unicode/utf8"
)

// parseSegment reads what stands between two slashes.
func parseSegment(text string) (segment, *fault) {
	if text == "**" {
		return segment{deep: true}, nil
	}
	if !strings.ContainsAny(text, `*?[\`) {
		return segment{lit: text}, nil
	}
	var elems []elem
	for i := 0; i < len(text); {
		e, n, f := parseElem(text[i:])
		if f == nil && e.star && strings.HasPrefix(text[i:], "**") {
			f = faultf(0, "expected ** alone between slashes, as in **/*.go")
		}
		if f != nil {
			f.offset += i
			return segment{}, f
		}
		elems = append(elems, e)
		i += n
	}
	s := segment{elems: ordered(elems)}
	if lit, ok := s.plain(); ok {
		s = segment{lit: lit}
	}
	if s.lit == "." || s.lit == ".." {
		return s, faultf(0, "expected . and .. to be written plainly")
	}
	return s, nil
}

// parseElem reads the first step of text; n is its length.
func parseElem(text string) (e elem, n int, f *fault) {
	switch text[0] {
	case '*':
		return elem{star: true}, 1, nil
	case '?':
		return elem{set: anySymbol}, 1, nil
	case '[':
		return parseClass(text)
	case '\\':
		if len(text) < 2 || strings.IndexByte(`*?[]\`, text[1]) < 0 {
			return e, 0, faultf(0, `expected one of * ? [ ] \ after the backslash, which is itself written \\`)
		}
		return one(rune(text[1])), 2, nil
	}
	sym, n := symbol(text)
	return one(sym), n, nil
}

func one(sym rune) elem { return elem{set: set{{sym, sym}}} }

// parseClass reads […], which text begins with.
func parseClass(text string) (e elem, n int, f *fault) {
	i := 1
	negated := strings.HasPrefix(text[i:], "!") || strings.HasPrefix(text[i:], "^")
	if negated {
		i++
	}
	var ranges set
	for {
		if strings.HasPrefix(text[i:], "]") {
			break
		}
		lo, n, f := classSymbol(text, i)
		if f != nil {
			return e, 0, f
		}
		i += n
		hi := lo
		if strings.HasPrefix(text[i:], "-") {
			if hi, n, f = classSymbol(text, i+1); f != nil {
				return e, 0, f
			}
			i += 1 + n
		}
		if hi < lo {
			return e, 0, faultf(i-n, "expected a range that ascends")
		}
		ranges = append(ranges, span{lo, hi})
	}
	if ranges == nil {
		return e, 0, faultf(i, `expected a character; ] itself is written \]`)
	}
	ranges = ranges.merged()
	if negated {
		ranges = ranges.complement()
	}
	return elem{set: ranges}, i + 1, nil
}

// classSymbol reads one character inside brackets. What other systems give a
// meaning of their own there has to be escaped, so that nobody is surprised.
func classSymbol(text string, i int) (r rune, n int, f *fault) {
	if i == len(text) {
		return 0, 0, faultf(i, "expected ] before the next / or the end")
	}
	if text[i] == '\\' {
		if i+1 == len(text) || strings.IndexByte(`[]\-!^*?`, text[i+1]) < 0 {
			return 0, 0, faultf(i, `expected one of [ ] \ - ! ^ * ? after the backslash`)
		}
		return rune(text[i+1]), 2, nil
	}
	if strings.IndexByte(`[]-!^`, text[i]) >= 0 {
		return 0, 0, faultf(i, `expected a character, or \%c for %c itself`, text[i], text[i])
	}
	r, n = utf8.DecodeRuneInString(text[i:])
	if r == utf8.RuneError && n == 1 {
		return 0, 0, faultf(i, "expected UTF-8 inside brackets")
	}
	return r, n, nil
}

// ordered gives each run of * and ? one spelling, the question marks first. A
// name is never empty, so ?* alone is *.
func ordered(elems []elem) []elem {
	var out []elem
	for i := 0; i < len(elems); {
		star, n := false, 0
		for ; i+n < len(elems) && elems[i+n].wild(); n++ {
			if elems[i+n].star {
				star = true
			} else {
				out = append(out, elems[i+n])
			}
		}
		if star {
			out = append(out, elem{star: true})
		}
		if n == 0 {
			out = append(out, elems[i])
			n = 1
		}
		i += n
	}
	if len(out) == 2 && out[0].wild() && out[1].star {
		return out[1:]
	}
	return out
}

func (e elem) wild() bool { return e.star || e.set[0] == anySymbol[0] }

// plain returns the one name that s matches, if it is one.
func (s segment) plain() (string, bool) {
	var b []byte
	for _, e := range s.elems {
		if !e.single() {
			return "", false
		}
		b = appendSymbol(b, e.set[0].lo)
	}
	return string(b), true
}
