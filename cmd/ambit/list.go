package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// listAfter is how long a session lasts before it is listed as running. Most
// are shorter, and are written down once, when they have ended.
const listAfter = 200 * time.Millisecond

// list keeps the list of sessions: what runs, and how it ended. It is for people
// to look at; what is evidence stands in the log.
func (s *prepared) list(ctx context.Context, c *control, ended <-chan session.Result) {
	row := store.Session{ID: s.spec.ID, Principal: s.spec.Principal, Pack: s.spec.Pack, Digest: s.spec.Digest,
		Program: s.spec.Plan.Program.Path, PID: os.Getpid(), Tier: s.spec.Plan.Tier, Started: s.app.now()}
	var res session.Result
	select {
	case res = <-ended:
	case <-time.After(listAfter):
		c.serve(ctx) // whoever finds it on the list can reach it
		if _, err := s.app.noteSession(row); err != nil {
			printf(s.app.err, "ambit: the session is not listed: %v\n", err)
		}
		res = <-ended
	}
	row.Ended, row.Status = s.app.now(), endStatus(res)
	full, err := s.app.noteSession(row)
	if err == nil && full {
		err = s.sessions.do(false, func(l *store.List) error { return l.TakeIn(ctx) })
	}
	if err != nil {
		printf(s.app.err, "ambit: the session is not listed: %v\n", err)
	}
}

// A lister is the list of sessions as one process uses it: opened for one change,
// since between its begin and its end a session keeps nothing open, or kept open
// while there are questions in it.
//
// The list is open once at most: the process that has it open refuses more.
type lister struct {
	open func() (*store.List, error)
	mu   sync.Mutex
	kept *store.List // guarded by mu
}

// do does something with the list, and then keeps it open if it was kept before
// or keep is set.
func (l *lister) do(keep bool, do func(*store.List) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept != nil {
		return do(l.kept)
	}
	list, err := l.open()
	if err != nil {
		return err
	}
	if keep {
		l.kept = list
		return do(list)
	}
	return errors.Join(do(list), list.Close())
}

func (l *lister) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept != nil {
		_ = l.kept.Close() // its changes were made when they returned
		l.kept = nil
	}
}

func endStatus(res session.Result) string { return "exit " + strconv.Itoa(res.Exit) }
