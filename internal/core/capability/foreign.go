package capability

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// alias is another system's spelling of a kind.
type alias struct {
	name  string
	form  form
	scope string // for formWord: the scope that the word stands for
}

type form uint8

const (
	formWord   form = iota // net.access
	formCall               // FsRead("/x/**"), NetworkInbound(8080)
	formDotted             // fs.read.~/Documents/*.pdf
)

func means(name, scope string) alias { return alias{name, formWord, scope} }
func call(name string) alias         { return alias{name: name, form: formCall} }
func dotted(prefix string) alias     { return alias{name: prefix, form: formDotted} }

// parseForeign reads the spellings of other systems. It is reached only when
// the text does not begin with a kind of ours, so no canonical text can be
// taken for a foreign one.
func parseForeign(text string) (Capability, *fault) {
	word := strings.TrimPrefix(text, "Capability::")
	at := len(text) - len(word)
	name, _, _ := strings.Cut(word, "(")
	for i := range rows {
		for _, a := range rows[i].aliases {
			if c, f, ok := a.parse(&rows[i], word, name); ok {
				if f != nil {
					f.offset += at
				}
				return c, f
			}
		}
	}
	return Capability{}, faultf(0, "expected a kind of capability, one of %s", similar(text))
}

// parse reads word if it is spelled in a's way.
func (a alias) parse(r *row, word, name string) (c Capability, f *fault, ok bool) {
	switch {
	case a.form == formDotted && strings.HasPrefix(word, a.name):
		rest := word[len(a.name):]
		c, f = r.parse(foreignGlob(r.kind, rest), true, len(a.name)-1)
	case a.form == formWord && word == a.name:
		c, f = r.parse(a.scope, a.scope != "", len(word))
	case a.form == formWord && name == a.name:
		f = faultf(len(name), "expected nothing after %s", name)
	case a.form == formCall && name == a.name:
		c, f = a.parseCall(r, word)
	default:
		return Capability{}, nil, false
	}
	return c, f, true
}

// foreignGlob gives the lone star that other systems write for "the user's
// files" its bounded meaning here: the home.
func foreignGlob(k Kind, glob string) string {
	if (k == FSRead || k == FSWrite) && (glob == "*" || glob == "**") {
		return "~"
	}
	return glob
}

// parseCall reads NAME("text") or NAME(number).
func (a alias) parseCall(r *row, word string) (Capability, *fault) {
	open := len(a.name)
	switch {
	case open == len(word):
		return Capability{}, faultf(open, "expected (…) with %s", r.want)
	case !strings.HasSuffix(word, ")"):
		return Capability{}, faultf(len(word), "expected \")\" at the end")
	}
	arg := word[open+1 : len(word)-1]
	if r.kind != NetListen {
		var f *fault
		if arg, f = unquote(arg); f != nil {
			f.offset += open + 1
			return Capability{}, f
		}
		open++ // the quote
	}
	return r.parse(arg, true, open)
}

// unquote reads a Rust string literal.
func unquote(s string) (string, *fault) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", faultf(0, "expected a text in double quotes")
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; {
		if s[i] == '"' {
			return "", faultf(i, "expected \\\" for a quote inside the text")
		}
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := rustEscape(s[i : len(s)-1])
		if n == 0 {
			return "", faultf(i, `expected one of \\ \" \' \n \r \t \xNN \u{…} after the backslash`)
		}
		b.WriteRune(r)
		i += n
	}
	return b.String(), nil
}

// rustEscape decodes the escape that s begins with; n is 0 if it is none.
func rustEscape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`\"'nrt`, s[1]); i >= 0 {
		return rune("\\\"'\n\r\t"[i]), 2
	}
	if s[1] == 'x' && len(s) >= 4 {
		if v, err := strconv.ParseUint(s[2:4], 16, 7); err == nil {
			return rune(v), 4
		}
	}
	end := strings.IndexByte(s, '}')
	if strings.HasPrefix(s, `\u{`) && end > 0 {
		v, err := strconv.ParseUint(s[3:end], 16, 21)
		if err == nil && utf8.ValidRune(rune(v)) {
			return rune(v), end + 1
		}
	}
	return 0, 0
}
