package store

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// Row is a grant as it is written down.
type Row struct {
	ID, Principal, Pack, Digest, Capability, Outcome, Span string
	Until                                                  Moment
	Session, Origin, Reason                                string
	Created, Revoked                                       Moment
}

// RowOf writes a grant down.
func RowOf(g grant.Grant) Row {
	return Row{g.ID, g.Principal, g.Pack, g.Digest, g.Capability.Display(), g.Outcome.String(), g.Lifespan.Span.String(),
		MomentOf(g.Lifespan.Until), g.Lifespan.Session, g.Origin, g.Reason, MomentOf(g.Created), MomentOf(g.Revoked)}
}

// plain reports whether all of r is text.
func (r Row) plain() bool {
	return !slices.ContainsFunc([]string{r.ID, r.Principal, r.Pack, r.Digest, r.Capability, r.Session, r.Origin, r.Reason},
		func(s string) bool { return !utf8.ValidString(s) })
}

// Grant reads a row, strictly.
func (r Row) Grant() (grant.Grant, error) {
	o, err1 := Word(r.Outcome, grant.Deny, grant.Allow)
	sp, err2 := Word(r.Span, grant.Once, grant.Session, grant.Until, grant.Always)
	c, err3 := ReadCapability(r.Capability)
	if err := errors.Join(err1, err2, err3); err != nil {
		return grant.Grant{}, fmt.Errorf("grant %q: %w", r.ID, err)
	}
	g := grant.Grant{ID: r.ID, Principal: r.Principal, Pack: r.Pack, Digest: r.Digest, Capability: c, Outcome: o,
		Lifespan: grant.Lifespan{Span: sp, Until: r.Until.Time(), Session: r.Session},
		Origin:   r.Origin, Reason: r.Reason, Created: r.Created.Time(), Revoked: r.Revoked.Time()}
	if err := g.Check(); err != nil {
		return grant.Grant{}, fmt.Errorf("grant %q: %w", r.ID, err)
	}
	return g, nil
}

// Word returns the value that is spelled so.
func Word[T fmt.Stringer](text string, values ...T) (none T, err error) {
	i := slices.IndexFunc(values, func(v T) bool { return v.String() == text })
	if i < 0 {
		return none, fmt.Errorf("expected one of %v, found %q", values, text)
	}
	return values[i], nil
}

// ReadCapability reads a capability that has to be written as it is.
func ReadCapability(text string) (capability.Capability, error) {
	c, err := capability.Parse(text)
	if err == nil && c.Display() != text {
		err = fmt.Errorf("the capability %q is not written as %q", text, c.Display())
	}
	return c, err
}

// Moment is a time as it is written down: nanoseconds since 1970, or none. It
// scans what a database has.
type Moment struct {
	Int64 int64
	Valid bool
}

// MomentOf writes a time down; the zero time is none.
func MomentOf(t time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	return Moment{t.UnixNano(), true}
}

// Time reads it.
func (m Moment) Time() time.Time {
	if !m.Valid {
		return time.Time{}
	}
	return time.Unix(0, m.Int64).UTC()
}

// Scan reads what a database kept.
func (m *Moment) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*m = Moment{}
	case int64:
		*m = Moment{v, true}
	default:
		return fmt.Errorf("a time is a %T", v)
	}
	return nil
}
