package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// States of a session that this package knows; others are what EndSession is told.
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

// AddSession keeps a session that has begun, or one that has ended already. What process its PID is, is noted
// with it, so that another one with that PID is not taken for it later.
func (s *List) AddSession(ctx context.Context, n Session) error {
	if n.Status == "" {
		n.Status = Running
	}
	err := s.change(ctx, func(tx *sql.Tx) error {
		return exists(insertSession(ctx, tx, n, insertNew))
	})
	if err != nil {
		return fmt.Errorf("add session %q to %q: %w", n.ID, s.path, err)
	}
	return nil
}

// addSessions keeps sessions that have ended, but for those that the list has.
func (s *List) addSessions(ctx context.Context, all []Session) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, n := range all {
			if err := insertSession(ctx, tx, n, insertUnknown); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ways to insert a session: one that is new, and one that may be there already.
const (
	insertNew = `INSERT INTO sessions (id, principal, pack, digest, program, pid, process, tier, started, ended, status)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertUnknown = insertNew + ` ON CONFLICT (id) DO NOTHING`
)

func insertSession(ctx context.Context, tx *sql.Tx, n Session, statement string) error {
	was := "" // of a session that has ended nobody asks whether its process lives
	if n.Ended.IsZero() {
		was = process(n.PID)
	}
	_, err := tx.ExecContext(ctx, statement,
		n.ID, n.Principal, n.Pack, n.Digest, []byte(n.Program), n.PID, was, n.Tier, fromTime(n.Started), fromTime(n.Ended), n.Status)
	return err
}

// EndSession notes how a session ended. The error is ErrNotFound, or ErrEnded.
func (s *List) EndSession(ctx context.Context, id, status string, at time.Time) error {
	err := s.change(ctx, func(tx *sql.Tx) error {
		var ended sql.NullInt64
		err := tx.QueryRowContext(ctx, "SELECT ended FROM sessions WHERE id = ?", id).Scan(&ended)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case ended.Valid:
			return ErrEnded
		case at.IsZero() || status == "":
			return errors.New("it needs a status and a time")
		}
		_, err = tx.ExecContext(ctx, "UPDATE sessions SET status = ?, ended = ? WHERE id = ?", status, fromTime(at), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session %q in %q: %w", id, s.path, err)
	}
	return nil
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
