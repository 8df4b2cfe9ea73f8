package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// listAfter is how long a session lasts before it is listed as running. Most
// are shorter, and are written down once, when they have ended.
const listAfter = 200 * time.Millisecond

// list keeps the list of sessions: what runs, and how it ended. It is for people
// to look at; what is evidence stands in the log.
func (s *prepared) list(ctx context.Context, ended <-chan session.Result) {
	row := store.Session{ID: s.spec.ID, Principal: s.spec.Principal, Pack: s.spec.Pack, Digest: s.spec.Digest,
		Program: s.spec.Plan.Program.Path, PID: os.Getpid(), Tier: s.spec.Plan.Tier, Started: s.app.now()}
	var err error
	select {
	case res := <-ended:
		row.Ended, row.Status = s.app.now(), endStatus(res)
		err = s.app.addEnded(row)
	case <-time.After(listAfter):
		err = s.write(func(l *store.List) error { return l.AddSession(ctx, row) })
		res := <-ended
		if err == nil {
			err = s.write(func(l *store.List) error { return l.EndSession(ctx, row.ID, endStatus(res), s.app.now()) })
		}
	}
	if err != nil {
		printf(s.app.err, "ambit: the session is not listed: %v\n", err)
	}
}

// write opens the list for one change: between its begin and its end a session
// keeps nothing open.
func (s *prepared) write(change func(*store.List) error) error {
	l, err := s.app.openList()
	if err != nil {
		return err
	}
	return errors.Join(change(l), l.Close())
}

func endStatus(res session.Result) string { return "exit " + strconv.Itoa(res.Exit) }
