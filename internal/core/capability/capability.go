// Package capability holds the vocabulary of rights: what may be asked for, in
// one canonical spelling each, and when one right covers another.
//
// A capability is written family.verb[:scope], as in fs.read:~/Documents/*.pdf
// or net.connect:api.github.com:443. Parse reads that spelling and the
// spellings of other systems; String writes the canonical one only.
//
// Invariants, on which everything that is built on this package relies:
//
//   - Parse(c.String()) == c for every capability that is not zero, so equality
//     of values, of texts and of map keys are the same thing.
//   - Covers is reflexive and transitive, and it is sound: where it says true,
//     every single thing that the covered capability permits is permitted by
//     the covering one. Between two patterns it may say false where a cleverer
//     comparison would say true. Against a literal path it is exact.
//   - No path scope stands for the whole file system, and no network scope for
//     every address: such texts are refused when parsed or resolved.
//   - Names are compared whole: /home does not cover /homeevil, *.example.com
//     covers neither example.com nor evil-example.com.
//   - What permits some requests over a connection permits no other use of it,
//     and no request whose path servers read in different ways.
//
// Comparison is on text. Whoever acts on a path resolves it first (symbolic
// links, "..", the descriptor that is really used); this package cannot.
//
// Layer: core. It imports nothing of this module, does no I/O and reads no clock.
package capability

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Capability is one right with its scope. Values are comparable with ==, may be
// map keys, and are safe for concurrent use. The zero value is no capability:
// it covers nothing, not even itself, and nothing covers it.
type Capability struct {
	kind  Kind
	scope string // canonical; "" if the kind has none
}

// maxText is the longest text that Parse looks at. It leaves room for a path of
// maxPath bytes of which each is written as an escape.
const maxText = 4*maxPath + 256

// Parse reads a capability in the canonical spelling or in one of the accepted
// foreign ones. The error is a *SyntaxError.
func Parse(text string) (Capability, error) {
	c, f := parse(text)
	if f != nil {
		return Capability{}, &SyntaxError{Text: text, Offset: min(f.offset, len(text)), Msg: f.msg}
	}
	return c, nil
}

func parse(text string) (Capability, *fault) {
	if len(text) > maxText {
		return Capability{}, faultf(maxText, "a capability is at most %d bytes long, this text has %d", maxText, len(text))
	}
	if text == "" {
		return Capability{}, faultf(0, "expected a capability such as fs.read:~/Documents, found nothing")
	}
	name, rest, hasScope := strings.Cut(text, ":")
	r, ok := find(Kind(name))
	if !ok {
		return parseForeign(text)
	}
	return r.parse(rest, hasScope, len(name))
}

// parse reads the scope that follows this row's kind; at is where the kind ends.
func (r *row) parse(scope string, given bool, at int) (Capability, *fault) {
	switch {
	case !given && (r.bare || r.scope == nil):
		return Capability{kind: r.kind}, nil
	case !given:
		return Capability{}, faultf(at, "expected \":\" and %s", r.want)
	case r.scope == nil:
		return Capability{}, faultf(at, "expected nothing after %s, which takes no scope", r.kind)
	case scope == "":
		return Capability{}, faultf(at+1, "expected %s", r.want)
	}
	s, f := r.scope(scope)
	if f != nil {
		f.offset += at + 1
		return Capability{}, f
	}
	return Capability{kind: r.kind, scope: s.String()}, nil
}

// Kind returns the family and verb, "" for the zero value.
func (c Capability) Kind() Kind { return c.kind }

// Scope returns the canonical text after the first colon, "" if there is none.
// A path scope may begin with "~" or be relative until it is resolved.
func (c Capability) Scope() string { return c.scope }

// IsZero reports whether c stands for no right.
func (c Capability) IsZero() bool { return c.kind == "" }

// String returns the canonical spelling. A path may hold any byte but NUL, so
// for a terminal or a log line use Display.
func (c Capability) String() string {
	if c.scope == "" {
		return string(c.kind)
	}
	return string(c.kind) + ":" + c.scope
}

// MarshalText returns Display: JSON replaces bytes that are not UTF-8, and a
// path has to come back exactly. The zero value is the empty text.
func (c Capability) MarshalText() ([]byte, error) { return []byte(c.Display()), nil }

// UnmarshalText is Parse, but for the empty text, which is the zero value.
func (c *Capability) UnmarshalText(text []byte) (err error) {
	*c = Capability{}
	if len(text) > 0 {
		*c, err = Parse(string(text))
	}
	return err
}

// Display returns String with every byte that does not print, or could change
// how the rest is shown, written as \xNN. Parse reads the result back.
func (c Capability) Display() string { return Printable(c.String()) }

// Describe says in words what c permits, for a person who is asked about it. It
// is safe to print.
func (c Capability) Describe() string {
	r, ok := find(c.kind)
	switch {
	case !ok:
		return "nothing"
	case c.scope == "":
		return r.meaning
	}
	text := c.scope
	if h, ok := c.flow(); ok {
		text = h.words()
	}
	return strings.Replace(r.phrase, "%", Printable(text), 1)
}

// Broad reports whether c is legal but wide: a whole home, any public address,
// the host itself. A person who is asked for it is asked more strongly.
func (c Capability) Broad() bool {
	r, ok := find(c.kind)
	if !ok {
		return false
	}
	return r.broad || c.scope != "" && r.parsed(c.scope).Broad()
}

// Printable returns s with each byte of what does not print, or is not UTF-8,
// written as \xNN. What arrives from a program goes through it before a
// terminal sees it: escape sequences and right-to-left marks change what a
// person reads.
func Printable(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !hidden(r) || r == utf8.RuneError && n > 1 {
			b.WriteString(s[i : i+n])
		} else {
			for _, c := range []byte(s[i : i+n]) {
				const hex = "0123456789abcdef"
				b.WriteString(`\x` + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
			}
		}
		i += n
	}
	return b.String()
}

// hidden reports whether a rune must not reach a terminal as it is: it does not
// print, or prints as nothing, so that two names look the same. RuneError is
// what a byte that is not UTF-8 decodes to.
func hidden(r rune) bool {
	if ' ' <= r && r <= '~' {
		return false // which most are: looking through the tables takes longer than all else that is done with a text
	}
	const brailleBlank = '\u2800' // a symbol by its category
	return r == utf8.RuneError || r == brailleBlank || !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
