package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// Error says where a manifest is wrong and what was expected there.
type Error struct {
	File         string
	Line, Column int // from 1; columns count bytes
	Msg          string
}

// Error returns FILE:LINE:COLUMN: MSG.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// maxFile bounds what is read: a manifest is for people, and the parser of JSON
// uses the stack for each level of nesting.
const maxFile = 64 << 10

// Parse reads a manifest. A name whose last part is aip.json is read as that
// format, any other as ambit.json. The error is an *Error.
func Parse(name string, data []byte) (Manifest, error) {
	r := reader{file: name, data: data}
	base := name[strings.LastIndexByte(name, '/')+1:]
	m := Manifest{Source: File, Home: HomeEphemeral}
	root, err := r.root()
	if err != nil {
		return Manifest{}, err
	}
	if base == ForeignFile {
		m.Source = ForeignFile
		err = r.foreign(&m, root)
	} else {
		err = r.manifest(&m, root)
	}
	if err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// reader turns JSON values into fields and knows where each of them stands.
type reader struct {
	file string
	data []byte
}

func (r reader) errorf(offset int, format string, args ...any) error {
	offset = min(max(offset, 0), len(r.data))
	before := string(r.data[:offset])
	return &Error{
		File:   r.file,
		Line:   1 + strings.Count(before, "\n"),
		Column: offset - strings.LastIndexByte(before, '\n'),
		Msg:    fmt.Sprintf(format, args...),
	}
}

// root parses the file into a syntax tree.
func (r reader) root() (hujson.Value, error) {
	if len(r.data) > maxFile {
		return hujson.Value{}, r.errorf(maxFile, "expected at most %d bytes, found %d", maxFile, len(r.data))
	}
	for i := 0; i < len(r.data); {
		c, n := utf8.DecodeRune(r.data[i:])
		if c == utf8.RuneError && n == 1 {
			return hujson.Value{}, r.errorf(i, "expected UTF-8, found the byte %#02x", r.data[i])
		}
		i += n
	}
	v, err := hujson.Parse(r.data)
	if err != nil {
		return v, r.syntax(err.Error())
	}
	return v, nil
}

// syntax puts an error of the JSON parser, which says its place in words, into
// our form. Words that are not understood lose the place, not the error.
func (r reader) syntax(text string) error {
	e := &Error{File: r.file, Line: 1, Column: 1, Msg: "expected JSON: " + text}
	var line, column int
	if n, _ := fmt.Sscanf(text, "hujson: line %d, column %d:", &line, &column); n == 2 {
		_, rest, _ := strings.Cut(strings.TrimPrefix(text, "hujson:"), ": ")
		e.Line, e.Column, e.Msg = line, column, "expected JSON: "+rest
	}
	if strings.Contains(text, "unexpected EOF") {
		e.Msg = "expected more: the file ends in the middle"
	}
	return e
}

// field reads the value of one key.
type field func(v hujson.Value) error

// object reads the members of v. Keys have to be known, unless lax, and stand
// there once.
func (r reader) object(v hujson.Value, what string, lax bool, fields map[string]field) error {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return r.errorf(v.StartOffset, "expected %s, an object in { }, found %s", what, kindOf(v))
	}
	seen := map[string]bool{}
	for _, m := range o.Members {
		key, err := r.text(m.Name)
		if err != nil {
			return err
		}
		read, known := fields[key]
		switch {
		case seen[key]:
			return r.errorf(m.Name.StartOffset, "expected each key once; %q was there before", key)
		case !known && !lax:
			return r.errorf(m.Name.StartOffset, "expected one of %s, found the unknown key %q", keys(fields), key)
		}
		seen[key] = true
		if known {
			if err := read(m.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func keys(fields map[string]field) string {
	var names []string
	for name := range fields {
		names = append(names, strconv.Quote(name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// array reads each element of v.
func (r reader) array(v hujson.Value, what string, read field) error {
	a, ok := v.Value.(*hujson.Array)
	if !ok {
		return r.errorf(v.StartOffset, "expected %s, a list in [ ], found %s", what, kindOf(v))
	}
	for _, e := range a.Elements {
		if err := read(e); err != nil {
			return err
		}
	}
	return nil
}

// text reads a string. Half of a surrogate pair has no UTF-8, and decoders
// replace it by something else, so it is refused.
func (r reader) text(v hujson.Value) (string, error) {
	lit, ok := v.Value.(hujson.Literal)
	if !ok || lit.Kind() != '"' {
		return "", r.errorf(v.StartOffset, "expected a text in double quotes, found %s", kindOf(v))
	}
	if i := halfPair(string(lit)); i >= 0 {
		return "", r.errorf(v.StartOffset+i, "expected a whole character, found half of a surrogate pair")
	}
	return lit.String(), nil
}

// halfPair returns where a JSON string has an escape that is no character, -1
// if nowhere. Decoders replace it by another character and say nothing.
func halfPair(lit string) int {
	for i := 0; i < len(lit); i++ {
		if lit[i] != '\\' {
			continue
		}
		switch {
		case !surrogate(lit[i:], "89ab", "cdef"):
			i++ // the character that is escaped
		case surrogate(lit[i:], "89ab", "") && surrogate(lit[i+len(`\ud800`):], "", "cdef"):
			i += len(`\ud800\udc00`) - 1
		default:
			return i
		}
	}
	return -1
}

// surrogate reports whether s begins with the escape of a surrogate whose third
// digit is one of high or low.
func surrogate(s, high, low string) bool {
	s = strings.ToLower(s[:min(len(s), len(`\ud800`))])
	return len(s) == len(`\ud800`) && s[:3] == `\ud` && strings.IndexByte(high+low, s[3]) >= 0
}

// flag reads true or false.
func (r reader) flag(v hujson.Value) (bool, error) {
	lit, ok := v.Value.(hujson.Literal)
	if !ok || lit.Kind() != 't' && lit.Kind() != 'f' {
		return false, r.errorf(v.StartOffset, "expected true or false, found %s", kindOf(v))
	}
	return lit.Bool(), nil
}

func kindOf(v hujson.Value) string {
	switch v.Value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "true or false"
	}
}
