package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/trace"
)

// maxLine bounds a line of a segment, so that a reader never has to hold more.
const maxLine = 1 << 20

// Record is one entry of the log. Append fills Seq, Time and Prev; the zero
// value is not a record. The Body is the JSON of the Body type of its Kind.
type Record struct {
	Seq       uint64          `json:"seq"` // from 1, without gaps
	Time      time.Time       `json:"time"`
	ID        string          `json:"id,omitempty"` // what people look it up by, "d-7f3ak2mq5x"; may be empty
	Kind      Kind            `json:"kind"`
	Session   string          `json:"session,omitempty"`
	Principal string          `json:"principal,omitempty"`
	Pack      string          `json:"pack,omitempty"`
	Body      json.RawMessage `json:"body"`
	Prev      string          `json:"prev"` // hex SHA-256, see the package comment

	// Trace is to which trace it belongs; none: that of the Log, if it has one. It
	// stands in the body.
	Trace trace.Parent `json:"-"`

	made string // Body and
	of   Kind   // Kind as New made them
}

// New returns a record of b, ready for Append.
func New(b Body) (Record, error) {
	raw, err := encodeBody(b)
	return Record{Kind: b.kind(), Body: raw, made: string(raw), of: b.kind()}, err
}

// appendLine appends the one spelling of r, without a newline.
func (r Record) appendLine(b []byte) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	b = append(b, `,"time":"`...)
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	for _, f := range [...]struct{ name, value string }{
		{`,"id":`, r.ID}, {`,"kind":`, string(r.Kind)}, {`,"session":`, r.Session},
		{`,"principal":`, r.Principal}, {`,"pack":`, r.Pack},
	} {
		if f.value != "" {
			b = appendString(append(b, f.name...), f.value)
		}
	}
	b = append(b, `,"body":`...)
	b = append(b, r.Body...)
	b = append(b, `,"prev":`...)
	return append(appendString(b, r.Prev), '}')
}

// appendString appends s, which is UTF-8, as a JSON string: only the quote, the
// backslash and control characters are escaped.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// parseRecord reads a record line. It accepts only what appendLine writes: the
// line of a record is its identity, so there is one line for each record.
func parseRecord(line []byte) (Record, error) {
	r, ok := splitRecord(line)
	switch {
	case !ok || !utf8.Valid(line) || !bytes.Equal(r.appendLine(make([]byte, 0, len(line)+16)), line):
		return Record{}, errors.New("not a record as this program writes it")
	case !r.Kind.known():
		return Record{}, unknownKind(r.Kind)
	case !json.Valid(r.Body) || r.Body[0] != '{':
		return Record{}, errors.New("body is not an object")
	case !isHash(r.Prev):
		return Record{}, fmt.Errorf("prev %q is not a hash", r.Prev)
	}
	_, r.Trace = traceOf(r.Body)
	return r, nil
}

// splitRecord takes a line apart at the places where appendLine put things
// together. It is three times faster than encoding/json, which is what the
// time to verify a long log consists of, and may be lenient: parseRecord compares.
func splitRecord(line []byte) (r Record, ok bool) {
	const prev = `,"prev":"`
	at := len(line) - len(prev) - 2*sha256.Size - len(`"}`)
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	if !ok || at < 0 {
		return r, false
	}
	r.Prev = string(line[at+len(prev) : len(line)-2])
	rest = rest[:max(0, at-len(`{"seq":`))]
	digits, rest, _ := bytes.Cut(rest, []byte(","))
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return r, false
	}
	var when, kind string
	for _, f := range [...]struct {
		name  string
		value *string
	}{
		{`"time":`, &when}, {`"id":`, &r.ID}, {`"kind":`, &kind}, {`"session":`, &r.Session},
		{`"principal":`, &r.Principal}, {`"pack":`, &r.Pack},
	} {
		after, ok := bytes.CutPrefix(rest, []byte(f.name))
		if !ok {
			continue
		}
		if *f.value, rest, ok = splitString(after); !ok {
			return r, false
		}
		rest = bytes.TrimPrefix(rest, []byte(","))
	}
	r.Seq, r.Kind = seq, Kind(kind)
	r.Body, ok = bytes.CutPrefix(rest, []byte(`"body":`))
	r.Time, err = time.Parse(time.RFC3339Nano, when)
	return r, ok && err == nil && len(r.Body) > 0
}

// splitString reads the JSON string that b begins with.
func splitString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			if bytes.IndexByte(b[1:i], '\\') < 0 {
				return string(b[1:i]), b[i+1:], true
			}
			s, ok = unescape(b[1:i])
			return s, b[i+1:], ok
		case '\\':
			i++
		}
	}
	return "", nil, false
}

// unescape undoes the escapes of appendString, and knows no others.
func unescape(b []byte) (string, bool) {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return string(append(out, b...)), true
		}
		out, b = append(out, b[:i]...), b[i+1:]
		switch {
		case len(b) > 0 && (b[0] == '"' || b[0] == '\\'):
			out, b = append(out, b[0]), b[1:]
		case len(b) > 0 && b[0] == 'n':
			out, b = append(out, '\n'), b[1:]
		case len(b) >= 5 && b[0] == 'u':
			c, err := strconv.ParseUint(string(b[1:5]), 16, 7)
			if err != nil {
				return "", false
			}
			out, b = append(out, byte(c)), b[5:]
		default:
			return "", false
		}
	}
	return string(out), true
}

// checkNew says whether r may be appended, and returns it with its body compact.
func checkNew(r Record) (Record, error) {
	for _, s := range []string{r.ID, r.Session, r.Principal, r.Pack, string(r.Body)} {
		if !utf8.ValidString(s) {
			return r, fmt.Errorf("record of kind %q: %q is not UTF-8", r.Kind, s)
		}
	}
	if len(r.Body) == 0 {
		r.Body = json.RawMessage("{}")
	}
	if r.Kind != r.of || r.made != string(r.Body) {
		if _, err := r.Decode(); err != nil {
			return r, err
		}
		var b bytes.Buffer
		if err := json.Compact(&b, r.Body); err != nil {
			return r, fmt.Errorf("body of kind %q: %w", r.Kind, err)
		}
		r.Body = b.Bytes()
	}
	r.made, r.of = "", ""
	if n := len(r.Body) + len(r.ID) + len(r.Session) + len(r.Principal) + len(r.Pack); n > maxLine/2 {
		return r, fmt.Errorf("record of kind %q has %d bytes, at most %d are kept", r.Kind, n, maxLine/2)
	}
	if !r.Trace.None() {
		r.Body = withTrace(r.Body, r.Trace)
	}
	return r, nil
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
