// Package grant holds what was given: to whom, for which pack, which capability,
// for how long, and where it came from.
//
// A grant is a plain value. Whether one covers a request is for package decision
// to say; this package says only whether a grant stands at a given time, and
// reads and writes its JSON.
//
// Invariants:
//
//   - What cannot be understood closes. An Allow with a lifespan that makes no
//     sense does not apply; a Deny with one does.
//   - Unknown keys, outcomes and spans in JSON are errors, never a default.
//   - A grant remembers the digest of the manifest it was made for, but is not
//     void when the pack changes: it goes on covering what it covers, and what a
//     new version declares beyond that is asked for.
//
// Layer: core. It does no I/O and reads no clock.
package grant

import (
	"errors"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/core/capability"
)

// Outcome is what a grant says. Every value but Allow is a denial.
type Outcome uint8

// The outcomes. Deny is the zero value.
const (
	Deny Outcome = iota
	Allow
)

// Span says how a grant ends.
type Span uint8

// The spans, shortest first.
const (
	Once    Span = iota // with its first use, after which who used it revokes it
	Session             // with its session
	Until               // at a time
	Always              // when it is revoked
)

// Lifespan is a span with its bounds. Session needs a session and Until needs a
// time; Once may have either, Always neither. The zero value is Once, unbounded.
type Lifespan struct {
	Span    Span
	Until   time.Time
	Session string
}

// Grant is one answer that is remembered. The zero value denies nothing and
// allows nothing, because its capability covers nothing.
type Grant struct {
	ID         string
	Principal  string
	Pack       string // "" for ad hoc runs
	Digest     string // of the manifest it was made for
	Capability capability.Capability
	Outcome    Outcome
	Lifespan   Lifespan
	Origin     string // where it came from: "command line", "policy"
	Reason     string
	Created    time.Time
	Revoked    time.Time // zero while it stands
}

// Applies reports whether g stands at a time, in a session.
func (g Grant) Applies(now time.Time, session string) bool {
	if !g.Revoked.IsZero() {
		return false
	}
	if g.Lifespan.Check() != nil {
		return g.Outcome != Allow
	}
	l := g.Lifespan
	return (l.Until.IsZero() || now.Before(l.Until)) && (l.Session == "" || l.Session == session)
}

// Check returns what is wrong with a lifespan.
func (l Lifespan) Check() error {
	timed, bound := !l.Until.IsZero(), l.Session != ""
	switch {
	case l.Span > Always:
		return fmt.Errorf("unknown span %d", l.Span)
	case l.Span == Session && (!bound || timed):
		return errors.New("a grant for a session needs the session and no time")
	case l.Span == Until && (!timed || bound):
		return errors.New("a grant until a time needs the time and no session")
	case l.Span == Always && (timed || bound):
		return errors.New("a grant for always has neither time nor session")
	}
	return nil
}

// Check returns what makes g unfit to be kept.
func (g Grant) Check() error {
	switch {
	case g.ID == "":
		return errors.New("a grant needs an id")
	case g.Capability.IsZero():
		return errors.New("a grant needs a capability")
	case g.Outcome > Allow:
		return fmt.Errorf("unknown outcome %d", g.Outcome)
	}
	return g.Lifespan.Check()
}

// String returns "deny" or "allow".
func (o Outcome) String() string {
	if o == Allow {
		return "allow"
	}
	return "deny"
}

var spans = [...]string{Once: "once", Session: "session", Until: "until", Always: "always"}

// String returns the word for s.
func (s Span) String() string {
	if int(s) < len(spans) {
		return spans[s]
	}
	return fmt.Sprintf("span %d", uint8(s))
}

// String says how long a grant lasts, for people.
func (l Lifespan) String() string {
	text := l.Span.String()
	if l.Session != "" {
		text += " " + l.Session
	}
	if !l.Until.IsZero() {
		if l.Span != Until {
			text += " until"
		}
		text += " " + l.Until.UTC().Format(time.RFC3339)
	}
	return text
}
