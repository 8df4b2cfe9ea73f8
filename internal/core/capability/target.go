package capability

import (
	"strconv"
	"strings"
)

// target is a pattern of the paths of requests. Within a segment * stands for any
// bytes; a segment ** stands for any number of segments. Unlike a path of files
// it covers only what it matches: /a does not cover /a/b, /a/** does, and /a. A
// path that ends in a slash has an empty last segment.
type target struct{ segs []segment }

// parseTarget reads a pattern. A byte may be written %NN; what stands for itself
// is written plainly in the canonical text, and everything else so.
func parseTarget(text string) (target, *fault) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return target{}, faultf(0, "expected a path such as /repos/**")
	}
	var t target
	at, size := len("/"), 0
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" && at <= len(rest) {
			return target{}, faultf(at, "expected no empty part before the end of a path")
		}
		s, f := parseTargetSegment(part)
		if f != nil {
			f.offset += at
			return target{}, f
		}
		if n := len(t.segs); !s.deep || n == 0 || !t.segs[n-1].deep {
			t.segs = append(t.segs, s)
		}
		size += len("/") + s.size()
		at += len(part) + len("/")
	}
	if size > maxPath {
		return target{}, faultf(0, "expected a path of at most %d bytes, this one has %d", maxPath, size)
	}
	return t, nil
}

func parseTargetSegment(text string) (segment, *fault) {
	if text == "**" {
		return segment{deep: true}, nil
	}
	var elems []elem
	for i := 0; i < len(text); {
		e, n, f := parseTargetElem(text[i:])
		if f == nil && e.star && strings.HasPrefix(text[i:], "**") {
			f = faultf(0, "expected ** alone between slashes, as in /repos/**")
		}
		if f != nil {
			f.offset += i
			return segment{}, f
		}
		elems = append(elems, e)
		i += n
	}
	s := segment{elems: elems}
	if lit, ok := s.plain(); ok {
		if odd(lit) {
			return s, faultf(0, "expected a part that every server reads in one way; this one never matches")
		}
		s = segment{lit: lit}
	}
	return s, nil
}

// parseTargetElem reads the first step of text; n is its length.
func parseTargetElem(text string) (e elem, n int, f *fault) {
	c, n := text[0], 1
	switch {
	case c == '*':
		return elem{star: true}, 1, nil
	case c == '%':
		v, err := strconv.ParseUint(text[1:min(3, len(text))], 16, 8)
		if err != nil || len(text) < 3 {
			return e, 0, faultf(0, "expected two hexadecimal digits after %%")
		}
		c, n = byte(v), 3
	case c <= ' ' || c > '~' || c == '?' || c == '#':
		return e, 0, faultf(0, "expected printing ASCII without ? and #; other bytes are written %%NN")
	}
	if neverPlain(c) {
		return e, 0, faultf(0, "expected no slash, backslash or control character in a part of a path: it never matches")
	}
	// Paths are compared as bytes: each is a symbol of its own, from 0 to 255, in
	// whatever character it takes part.
	return one(rune(c)), n, nil
}

// neverPlain are bytes that no part of a plain path has, however it is written.
func neverPlain(c byte) bool { return c == '/' || c == '\\' || c < ' ' || c == 0x7f }

// odd reports whether servers read a decoded part of a path in different ways: a
// dot segment, also one with parameters, or one that decoding again would make
// something else of.
func odd(part string) bool {
	name, _, _ := strings.Cut(part, ";")
	if name == "." || name == ".." {
		return true
	}
	for i := 0; i+2 < len(part); i++ {
		if v, err := strconv.ParseUint(part[i+1:i+3], 16, 8); part[i] == '%' && err == nil && (v == '.' || v == '%' || neverPlain(byte(v))) {
			return true
		}
	}
	return false
}

// any reports whether every path matches.
func (t target) any() bool { return len(t.segs) == 1 && t.segs[0].deep }

// String returns the canonical text.
func (t target) String() string {
	var b strings.Builder
	for _, s := range t.segs {
		b.WriteByte('/')
		switch {
		case s.deep:
			b.WriteString("**")
		case s.elems == nil:
			writeTarget(&b, s.lit)
		}
		for _, e := range s.elems {
			if e.star {
				b.WriteByte('*')
			} else {
				writeTarget(&b, string(e.set[0].lo))
			}
		}
	}
	return b.String()
}

// writeTarget writes the bytes of a path, a symbol each, so that they stand for
// themselves.
func writeTarget(b *strings.Builder, symbols string) {
	for _, c := range symbols {
		if alphanumeric(c) || strings.ContainsRune("-._~!$&'()+;=:@", c) {
			b.WriteRune(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
		}
	}
}

// covers reports whether every path that o matches is matched by t.
func (t target) covers(o target) bool { return included(o.segs, t.segs, false) }

// Target makes the path of a request, as it was sent and without its query,
// canonical: as a pattern that matches this path and no other. plain is false for
// one that servers read in different ways: with dot segments, doubled or encoded
// slashes, backslashes or control characters, also if they are encoded twice. It
// has no canonical form, and no rule with paths permits it.
func Target(path string) (canonical string, plain bool) {
	if canonicalTarget(path) {
		return path, true
	}
	t, f := parseTarget(strings.NewReplacer("*", "%2A", ",", "%2C").Replace(path))
	if f != nil {
		return "", false
	}
	return t.String(), true
}

// canonicalTarget reports, quickly, of most paths that are canonical that they are.
func canonicalTarget(path string) bool {
	if path == "" || path[0] != '/' || len(path) > maxPath {
		return false
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/' || c == '.':
			if i > 0 && path[i-1] == '/' { // nothing between slashes, or what may be a dot segment
				return false
			}
		case !alphanumeric(rune(c)) && strings.IndexByte("-_~!$&'()+;=:@", c) < 0:
			return false
		}
	}
	return true
}

// TargetRule returns what was expected of a text that is no pattern of the paths
// of requests, and "" for one that is.
func TargetRule(text string) string {
	if _, f := parseTarget(strings.ReplaceAll(text, ",", "%2C")); f != nil {
		return f.msg
	}
	return ""
}
