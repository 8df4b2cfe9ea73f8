package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// States of a session that this package knows; others are how it ended.
const (
	Running = "running"
	Lost    = "lost" // its process is gone and nobody said how it ended
)

// Session is one run of a pack.
type Session struct {
	ID, Principal, Pack, Digest, Program string
	PID                                  int // of the process that looks after it
	Tier                                 string
	Started, Ended                       time.Time // Ended is zero while it runs
	Status                               string
}

// keep writes what was noted. A session ends once: whatever says so later
// changes nothing.
func (s *List) keep(ctx context.Context, notes []note) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, n := range notes {
			_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, principal, pack, digest, program, pid, process, tier, started, ended, status)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET status = excluded.status, ended = excluded.ended WHERE ended IS NULL`,
				n.ID, n.Principal, n.Pack, n.Digest, []byte(n.Program), n.PID, n.process, n.Tier, fromTime(n.Started), fromTime(n.Ended), n.Status)
			if err != nil {
				return fmt.Errorf("keep session %q: %w", n.ID, err)
			}
		}
		return nil
	})
}

// Sessions returns all sessions, oldest first. One that has not ended but whose
// process is gone has the status Lost.
func (s *List) Sessions(ctx context.Context) ([]Session, error) {
	all, err := s.sessions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sessions from %q: %w", s.path, err)
	}
	return all, nil
}

func (s *List) sessions(ctx context.Context) (all []Session, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, principal, pack, digest, program, pid, process, tier, started, ended, status FROM sessions ORDER BY started, id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n Session
		var program []byte
		var was string
		var started, ended sql.NullInt64
		if err := rows.Scan(&n.ID, &n.Principal, &n.Pack, &n.Digest, &program, &n.PID, &was, &n.Tier, &started, &ended, &n.Status); err != nil {
			return nil, err
		}
		n.Program, n.Started, n.Ended = string(program), toTime(started), toTime(ended)
		if !ended.Valid && was != "" && process(n.PID) != was {
			n.Status = Lost
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
