package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
)

// Requests over opened connections are told of by the thousand a second, and
// reading their JSON took longer than recording them. They have a shorter form:
// a word and fields parted by spaces, those quoted that need it.
const briefMade = "made"

var errBrief = errors.New("a short message that is not understood")

// AppendBrief appends the short form of a message that has one.
func (m Message) AppendBrief(b []byte) ([]byte, bool) {
	r := m.Made
	if r == nil {
		return b, false
	}
	b = append(b, briefMade...)
	for _, n := range [...]uint64{r.Flow, uint64(max(r.Status, 0)), r.In, r.Out} {
		b = strconv.AppendUint(append(b, ' '), n, 10)
	}
	for _, t := range [...]time.Time{r.Begun, r.Ended} {
		b = strconv.AppendInt(append(b, ' '), nanoseconds(t), 10)
	}
	for _, s := range [...]string{r.To.String(), r.Decision, r.Method, r.Path, r.End, r.Why} {
		b = appendField(b, s)
	}
	for _, k := range r.Again {
		b = appendField(b, string(k))
	}
	return b, true
}

// ParseBrief reads what AppendBrief writes into a message that is empty.
//
// Security: what says it is not trusted. The form is as closed as that in JSON: a
// field that lacks, a number out of range and a capability that is none are errors.
func (m *Message) ParseBrief(line []byte) error {
	f := fields{rest: string(line)}
	if f.next() != briefMade {
		return errBrief
	}
	r := &Request{Flow: f.number(), Status: int(min(f.number(), maxStatus)), In: f.number(), Out: f.number(), Begun: f.time(), Ended: f.time()}
	to := f.next()
	r.Decision, r.Method, r.Path, r.End, r.Why = f.next(), f.next(), f.next(), f.next(), f.next()
	for f.rest != "" && f.err == nil {
		r.Again = append(r.Again, capability.Kind(f.next()))
	}
	if f.err != nil {
		return f.err
	}
	if to != "" {
		if err := r.To.UnmarshalText([]byte(to)); err != nil {
			return fmt.Errorf("%w: %w", errBrief, err)
		}
	}
	*m = Message{Made: r}
	return nil
}

// maxStatus is more than any status of HTTP.
const maxStatus = 9999

// nanoseconds is a time since 1970; 0 is none.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// appendField appends a text behind a space: as it is, where nothing of it parts
// or quotes, or else quoted.
func appendField(b []byte, s string) []byte {
	b = append(b, ' ')
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.AppendQuoteToASCII(b, s)
	}
	return append(b, s...)
}

// fields takes a line apart. After an error it returns nothing.
type fields struct {
	rest string
	err  error
}

func (f *fields) next() (s string) {
	if f.err != nil {
		return ""
	}
	if !strings.HasPrefix(f.rest, `"`) {
		s, f.rest, _ = strings.Cut(f.rest, " ")
		if s == "" {
			f.err = errBrief
		}
		return s
	}
	quoted, err := strconv.QuotedPrefix(f.rest)
	if err == nil {
		s, err = strconv.Unquote(quoted)
	}
	f.rest = f.rest[len(quoted):]
	if err == nil && f.rest != "" {
		after, ok := strings.CutPrefix(f.rest, " ")
		if f.rest = after; !ok || after == "" {
			err = errBrief
		}
	}
	if err != nil {
		f.err = errBrief
		return ""
	}
	return s
}

func (f *fields) number() uint64 {
	n, err := strconv.ParseUint(f.next(), 10, 64)
	if err != nil && f.err == nil {
		f.err = errBrief
	}
	return n
}

func (f *fields) time() time.Time {
	n, err := strconv.ParseInt(f.next(), 10, 64)
	if err != nil && f.err == nil {
		f.err = errBrief
	}
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
