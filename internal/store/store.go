// Package store keeps what has to be looked up: grants, in a Store, and the
// sessions that run or ran with the questions that they put, in a List. Each is
// an SQLite file, used by any number of processes at once.
//
// SQLite itself is not here but in a process beside the one that uses this
// package (Database): ambit-store, which is made of the package database. Here is
// what asks it, and what needs no SQLite: notes beside the list, and a copy of
// the grants that stand.
//
// It does not decide anything and is no evidence; that is the audit log, which
// knows nothing of this file.
//
// Invariants:
//
//   - A grant that cannot be read is an error, never skipped: a deny that went
//     missing would open what somebody closed.
//   - What is not a store (an empty, truncated or foreign file, or one of a newer
//     version) is an error that names the file. Only a file that is not there
//     is made, and it appears whole: made elsewhere, synced, then linked.
//   - A change of grants has returned when it is on the disk (a rollback journal,
//     synchronous=FULL). A change of the list survives the end of the process.
//   - Nothing is deleted; a grant is revoked, a session ended and a question
//     answered and closed, each once.
//   - A process beside that is lost, or says anything else than it should, is an
//     error of what was asked, and never an answer. No transaction is open while
//     it waits for this process, so neither end leaves half of a change.
//
// Layer: it imports internal/core and its own parts only.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/grant"
)

// Errors worth telling apart.
var (
	ErrNotFound = errors.New("there is none in the store")
	ErrRevoked  = errors.New("it was revoked before")
	ErrEnded    = errors.New("it has ended before")
	ErrExists   = errors.New("one with this id is in the store already")
)

// Store is an open store of grants. It is safe for use by many goroutines.
type Store struct {
	*line
	look *os.File // the same file, to see whether it has changed

	mu   sync.Mutex
	memo memo // guarded by mu
}

// Open opens the store at path, and makes it if there is no file. The folder
// must be there.
//
// Security: whoever can write the file can grant; one that others may write is
// refused.
func (d *Database) Open(path string) (*Store, error) {
	l, err := d.open(FileGrants, path)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	look, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", path, err), l.Close())
	}
	return &Store{line: l, look: look}, nil
}

// Close ends the use of the store, and has what was read of it left for others.
func (s *Store) Close() error { return errors.Join(s.line.Close(), s.look.Close()) }

// Grants returns the grants of a principal for a pack ("" for ad hoc runs) that
// were not revoked, oldest first. Whether they apply now is for the reader to
// say. One that cannot be read is an error.
func (s *Store) Grants(ctx context.Context, principal, pack string) ([]grant.Grant, error) {
	at := s.now()
	if all, ok := s.recall(at, principal, pack); ok {
		return all, nil
	}
	all, err := s.query(ctx, AskGrants, &principal, &pack)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if g.Principal != principal || g.Pack != pack || !g.Revoked.IsZero() {
			return nil, fmt.Errorf("read grants from %q: %w", s.path, errOther)
		}
	}
	s.note(at, principal, pack, all)
	return all, nil
}

// AllGrants returns every grant there ever was, oldest first.
func (s *Store) AllGrants(ctx context.Context) ([]grant.Grant, error) { return s.query(ctx, AskAll) }

func (s *Store) query(ctx context.Context, ask byte, fields ...any) ([]grant.Grant, error) {
	all, err := rows(ctx, s.line, GrantFields, ask, fields...)
	for i := 0; i < len(all) && err == nil; i++ {
		err = all[i].Check()
	}
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
		err = s.call(ctx, nil, AskAdd, GrantFields(&g)...)
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
	g, err := one(ctx, s.line, GrantFields, AskRevoke, &id, &at)
	if err == nil && (g.ID != id || g.Revoked.IsZero()) {
		err = errOther
	}
	if err == nil {
		err = g.Check()
	}
	if err != nil {
		return grant.Grant{}, fmt.Errorf("revoke grant %q in %q: %w", id, s.path, err)
	}
	return g, nil
}
