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
// reading their JSON took longer than recording them; who uses a secret waits for two
// messages each time. They have a shorter form: a word and fields parted by spaces,
// those quoted that need it.
const (
	briefMade   = "made"
	briefUse    = "use"
	briefSecret = "secret"
)

var errBrief = errors.New("a short message that is not understood")

// AppendBrief appends the short form of a message that has one.
func (m Message) AppendBrief(b []byte) ([]byte, bool) {
	switch {
	case m.Made != nil:
		return m.Made.AppendBrief(b)
	case m.Use != nil:
		b = strconv.AppendUint(append(b, briefUse+" "...), m.ID, 10)
		return appendFields(b, m.Use.Name, m.Use.Method, m.Use.Path), true
	case m.Secret != nil:
		b = strconv.AppendUint(append(b, briefSecret+" "...), m.ID, 10)
		return appendFields(b, string(m.Secret.Value), m.Secret.Reason, m.Secret.Words), true
	}
	return b, false
}

// AppendBrief appends the short form of the message that tells of a request: who tells
// of thousands need not make a Message for each.
func (r *Request) AppendBrief(b []byte) ([]byte, bool) {
	b = append(b, briefMade...)
	for _, n := range [...]uint64{r.Flow, uint64(max(r.Status, 0)), r.In, r.Out} {
		b = strconv.AppendUint(append(b, ' '), n, 10)
	}
	for _, t := range [...]time.Time{r.Begun, r.Ended} {
		b = strconv.AppendInt(append(b, ' '), nanoseconds(t), 10)
	}
	b = appendFields(b, r.To.String(), r.Decision, r.Method, r.Path, r.End, r.Why)
	for _, k := range r.Again {
		b = appendFields(b, string(k))
	}
	return b, true
}

// ParseBrief reads what AppendBrief writes into a message that is empty.
//
// Security: what says it is not trusted. The form is as closed as that in JSON: a
// field that lacks, a number out of range and a capability that is none are errors.
func (m *Message) ParseBrief(line []byte) error {
	f := fields{rest: string(line)}
	switch f.next() {
	case briefMade:
		return m.parseMade(f)
	case briefUse:
		id, u := f.number(), Use{Name: f.next(), Method: f.next(), Path: f.next()}
		return m.become(Message{ID: id, Use: &u}, f.end())
	case briefSecret:
		id, s := f.number(), Secret{Value: []byte(f.next()), Reason: f.next(), Words: f.next()}
		return m.become(Message{ID: id, Secret: &s}, f.end())
	}
	return errBrief
}

// become makes it another message, unless there is an error.
func (m *Message) become(other Message, err error) error {
	if err == nil {
		*m = other
	}
	return err
}

func (m *Message) parseMade(f fields) error {
	r := &Request{Flow: f.number(), Status: int(min(f.number(), maxStatus)), In: f.number(), Out: f.number(), Begun: f.time(), Ended: f.time()}
	to := f.next()
	r.Decision, r.Method, r.Path, r.End, r.Why = f.next(), f.next(), f.next(), f.next(), f.next()
	for f.rest != "" && f.err == nil {
		r.Again = append(r.Again, capability.Kind(f.next()))
	}
	if f.err != nil {
		return f.err
	}
	if err := m.heard.capability(to, &r.To); err != nil {
		return fmt.Errorf("%w: %w", errBrief, err)
	}
	*m = Message{Made: r}
	return nil
}

// Heard reads messages of one line, and remembers what stands in one after the other.
type Heard struct {
	text string
	last capability.Capability // that text is
}

// Next is a message to read into.
func (h *Heard) Next() Message { return Message{heard: h} }

// capability reads one, which may be the same as before. h may be nil.
func (h *Heard) capability(text string, to *capability.Capability) error {
	if h != nil && h.text == text {
		*to = h.last
		return nil
	}
	if text == "" {
		return nil
	}
	err := to.UnmarshalText([]byte(text))
	if h != nil && err == nil {
		*h = Heard{strings.Clone(text), *to}
	}
	return err
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

// appendFields appends texts, each behind a space: as it is, where nothing of it parts
// or quotes, or else quoted.
func appendFields(b []byte, all ...string) []byte {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	for _, s := range all {
		b = append(b, ' ')
		if s == "" || strings.ContainsFunc(s, odd) {
			b = strconv.AppendQuoteToASCII(b, s)
		} else {
			b = append(b, s...)
		}
	}
	return b
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

// end is the error of a line that has more fields, or too few.
func (f *fields) end() error {
	if f.err == nil && f.rest != "" {
		f.err = errBrief
	}
	return f.err
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
