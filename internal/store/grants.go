package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ambit.dev/ambit/internal/core/grant"
)

const grantColumns = "id, principal, pack, digest, capability, outcome, span, until, session, origin, reason, created, revoked"

// Grants returns the grants of a principal for a pack ("" for ad hoc runs) that
// were not revoked, oldest first. Whether they apply now is for the reader to
// say. One that cannot be read is an error.
func (s *Store) Grants(ctx context.Context, principal, pack string) ([]grant.Grant, error) {
	at := s.now()
	if all, ok := s.recall(at, principal, pack); ok {
		return all, nil
	}
	all, ok := s.remember(ctx, principal, pack)
	if !ok {
		var err error
		all, err = s.query(ctx, "SELECT "+grantColumns+" FROM grants WHERE principal = ? AND pack = ? AND revoked IS NULL ORDER BY created, id", principal, pack)
		if err != nil {
			return nil, fmt.Errorf("read grants from %q: %w", s.path, err)
		}
	}
	s.note(at, principal, pack, all)
	return all, nil
}

// AllGrants returns every grant there ever was, oldest first.
func (s *Store) AllGrants(ctx context.Context) ([]grant.Grant, error) {
	all, err := s.query(ctx, "SELECT "+grantColumns+" FROM grants ORDER BY created, id")
	if err != nil {
		return nil, fmt.Errorf("read grants from %q: %w", s.path, err)
	}
	return all, nil
}

// AddGrant keeps g; it is on the disk when AddGrant returns. ErrExists if there
// is one with its id.
func (s *Store) AddGrant(ctx context.Context, g grant.Grant) error {
	err := g.Check()
	if err == nil && !g.Revoked.IsZero() {
		err = errors.New("it is revoked")
	}
	if err == nil {
		err = s.change(ctx, func(tx *sql.Tx) error {
			r := rowOf(g)
			_, err := tx.ExecContext(ctx, "INSERT INTO grants ("+grantColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
				r.ID, r.Principal, r.Pack, r.Digest, r.Capability, r.Outcome, r.Span, r.Until, r.Session, r.Origin, r.Reason, r.Created)
			return exists(err)
		})
	}
	if err != nil {
		return fmt.Errorf("add grant %q to %q: %w", g.ID, s.path, err)
	}
	return nil
}

// RevokeGrant ends a grant and returns it as it is now. The error is
// ErrNotFound, or ErrRevoked if another was first: of those who use a grant that
// is good for once, one alone sees nil.
func (s *Store) RevokeGrant(ctx context.Context, id string, at time.Time) (grant.Grant, error) {
	var g grant.Grant
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		g, err = readGrant(tx.QueryRowContext(ctx, "SELECT "+grantColumns+" FROM grants WHERE id = ?", id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case !g.Revoked.IsZero():
			return ErrRevoked
		case at.IsZero():
			return errors.New("it needs a time")
		}
		g.Revoked = at.UTC()
		_, err = tx.ExecContext(ctx, "UPDATE grants SET revoked = ? WHERE id = ?", fromTime(at), id)
		return err
	})
	if err != nil {
		return g, fmt.Errorf("revoke grant %q in %q: %w", id, s.path, err)
	}
	return g, nil
}

func (s *Store) query(ctx context.Context, q string, args ...any) (all []grant.Grant, err error) {
	rows, err := s.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		g, err := readGrant(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

// row is a grant as it is written down.
type row struct {
	ID, Principal, Pack, Digest, Capability, Outcome, Span string
	Until                                                  sql.NullInt64
	Session, Origin, Reason                                string
	Created, Revoked                                       sql.NullInt64
}

func rowOf(g grant.Grant) row {
	return row{g.ID, g.Principal, g.Pack, g.Digest, g.Capability.Display(), g.Outcome.String(), g.Lifespan.Span.String(),
		fromTime(g.Lifespan.Until), g.Lifespan.Session, g.Origin, g.Reason, fromTime(g.Created), fromTime(g.Revoked)}
}

// plain reports whether all of r is text.
func (r row) plain() bool {
	return !slices.ContainsFunc([]string{r.ID, r.Principal, r.Pack, r.Digest, r.Capability, r.Session, r.Origin, r.Reason},
		func(s string) bool { return !utf8.ValidString(s) })
}

func readGrant(from interface{ Scan(...any) error }) (grant.Grant, error) {
	var r row
	err := from.Scan(&r.ID, &r.Principal, &r.Pack, &r.Digest, &r.Capability, &r.Outcome, &r.Span, &r.Until, &r.Session, &r.Origin, &r.Reason, &r.Created, &r.Revoked)
	if err != nil {
		return grant.Grant{}, err
	}
	return r.grant()
}

// grant reads a row, strictly.
func (r row) grant() (grant.Grant, error) {
	o, err1 := word(r.Outcome, grant.Deny, grant.Allow)
	sp, err2 := word(r.Span, grant.Once, grant.Session, grant.Until, grant.Always)
	c, err3 := readCapability(r.Capability)
	if err := errors.Join(err1, err2, err3); err != nil {
		return grant.Grant{}, fmt.Errorf("grant %q: %w", r.ID, err)
	}
	g := grant.Grant{ID: r.ID, Principal: r.Principal, Pack: r.Pack, Digest: r.Digest, Capability: c, Outcome: o,
		Lifespan: grant.Lifespan{Span: sp, Until: toTime(r.Until), Session: r.Session},
		Origin:   r.Origin, Reason: r.Reason, Created: toTime(r.Created), Revoked: toTime(r.Revoked)}
	if err := g.Check(); err != nil {
		return grant.Grant{}, fmt.Errorf("grant %q: %w", r.ID, err)
	}
	return g, nil
}

// word returns the value that is spelled so.
func word[T fmt.Stringer](text string, values ...T) (none T, err error) {
	i := slices.IndexFunc(values, func(v T) bool { return v.String() == text })
	if i < 0 {
		return none, fmt.Errorf("expected one of %v, found %q", values, text)
	}
	return values[i], nil
}

// exists makes ErrExists of the error of a second row with one key.
func exists(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return ErrExists
	}
	return err
}

func fromTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixNano(), Valid: !t.IsZero()}
}

func toTime(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}
