package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ambit.dev/ambit/internal/store"
)

// takeIn moves what was noted beside the list into it.
func (s *listFile) takeIn(ctx context.Context) error {
	return store.TakeNotes(s.path, func(notes []store.Noted) error { return s.keep(ctx, notes) })
}

// keep writes what was noted. A session ends once: whatever says so later
// changes nothing.
func (s *listFile) keep(ctx context.Context, notes []store.Noted) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, n := range notes {
			_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, principal, pack, digest, program, pid, process, tier, started, ended, status)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET status = excluded.status, ended = excluded.ended WHERE ended IS NULL`,
				n.ID, n.Principal, n.Pack, n.Digest, []byte(n.Program), n.PID, n.Process, n.Tier, written(n.Started), written(n.Ended), n.Status)
			if err != nil {
				return fmt.Errorf("keep session %q: %w", n.ID, err)
			}
		}
		return nil
	})
}

// all returns all sessions, oldest first.
func (s *listFile) all(ctx context.Context) (all []store.Session, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, principal, pack, digest, program, pid, process, tier, started, ended, status FROM sessions ORDER BY started, id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n store.Session
		var program []byte
		var was string
		var started, ended store.Moment
		if err := rows.Scan(&n.ID, &n.Principal, &n.Pack, &n.Digest, &program, &n.PID, &was, &n.Tier, &started, &ended, &n.Status); err != nil {
			return nil, err
		}
		n.Program, n.Started, n.Ended = string(program), started.Time(), ended.Time()
		if !ended.Valid && was != "" && store.ProcessOf(n.PID) != was {
			n.Status = store.Lost
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
