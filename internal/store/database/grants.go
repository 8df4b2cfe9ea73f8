package database

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

const grantColumns = "id, principal, pack, digest, capability, outcome, span, until, session, origin, reason, created, revoked"

// standing returns what stands of a principal for a pack.
func (s *grantsFile) standing(ctx context.Context, principal, pack string) ([]grant.Grant, error) {
	if all, ok := s.remember(ctx, principal, pack); ok {
		return all, nil
	}
	return s.query(ctx, "SELECT "+grantColumns+" FROM grants WHERE principal = ? AND pack = ? AND revoked IS NULL ORDER BY created, id", principal, pack)
}

// remember reads all that stands, keeps it for Close, and answers standing from
// it. Where that cannot be, ok is false.
func (s *grantsFile) remember(ctx context.Context, principal, pack string) (all []grant.Grant, ok bool) {
	if s.before == "" {
		return nil, false
	}
	found, err := s.query(ctx, "SELECT "+grantColumns+" FROM grants WHERE revoked IS NULL ORDER BY created, id LIMIT ?", store.MaxStanding+1)
	if err != nil || len(found) > store.MaxStanding {
		return nil, false // what belongs to another pack may be unreadable, and is no fault of this one
	}
	for _, g := range found {
		if g.Principal == principal && g.Pack == pack {
			all = append(all, g)
		}
	}
	s.found, s.asked = found, true
	return all, true
}

// all returns every grant there ever was.
func (s *grantsFile) all(ctx context.Context) ([]grant.Grant, error) {
	return s.query(ctx, "SELECT "+grantColumns+" FROM grants ORDER BY created, id")
}

// add keeps a grant.
func (s *grantsFile) add(ctx context.Context, g grant.Grant) error {
	if err := g.Check(); err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		r := store.RowOf(g)
		_, err := tx.ExecContext(ctx, "INSERT INTO grants ("+grantColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
			r.ID, r.Principal, r.Pack, r.Digest, r.Capability, r.Outcome, r.Span, written(g.Lifespan.Until), r.Session, r.Origin, r.Reason, written(g.Created))
		return exists(err)
	})
}

// revoke ends a grant and returns it as it is then.
func (s *grantsFile) revoke(ctx context.Context, id string, at time.Time) (g grant.Grant, err error) {
	err = s.change(ctx, func(tx *sql.Tx) (err error) {
		g, err = readGrant(tx.QueryRowContext(ctx, "SELECT "+grantColumns+" FROM grants WHERE id = ?", id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case !g.Revoked.IsZero():
			return store.ErrRevoked
		case at.IsZero():
			return errors.New("it needs a time")
		}
		g.Revoked = at.UTC()
		_, err = tx.ExecContext(ctx, "UPDATE grants SET revoked = ? WHERE id = ?", written(at), id)
		return err
	})
	return g, err
}

func (s *grantsFile) query(ctx context.Context, q string, args ...any) (all []grant.Grant, err error) {
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

func readGrant(from interface{ Scan(...any) error }) (grant.Grant, error) {
	var r store.Row
	err := from.Scan(&r.ID, &r.Principal, &r.Pack, &r.Digest, &r.Capability, &r.Outcome, &r.Span, &r.Until, &r.Session, &r.Origin, &r.Reason, &r.Created, &r.Revoked)
	if err != nil {
		return grant.Grant{}, err
	}
	return r.Grant()
}

// exists makes ErrExists of the error of a second row with one key.
func exists(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return store.ErrExists
	}
	return err
}

// written is a time as it is kept: NULL for the zero time.
func written(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixNano(), Valid: !t.IsZero()}
}
