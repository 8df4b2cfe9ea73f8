package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/enforce"
)

// pausedMark is behind the name of a session's control socket while it is paused.
const pausedMark = ".paused"

// A standstill is whether a session is paused.
type standstill struct {
	mu   sync.Mutex
	thaw func() error // guarded by mu; nil: it runs
}

// errPaused says that a session has to go on first.
var errPaused = errors.New("the session is paused; `ambit resume` lets it go on")

// stands refuses what would wait for a session that is paused.
func (c *control) stands() error {
	c.standstill.mu.Lock()
	defer c.standstill.mu.Unlock()
	if c.standstill.thaw != nil {
		return errPaused
	}
	return nil
}

// pause has nothing in the session run. It is recorded before it is done; where it
// cannot be done, that is too.
func (c *control) pause(ctx context.Context, w controlConn, pid int) error {
	s := &c.standstill
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thaw != nil {
		return errors.New("the session is paused already")
	}
	if err := c.record(ctx, audit.PauseBody{PID: pid}); err != nil {
		return err
	}
	way, thaw, err := enforce.Freeze(c.inside, c.s.tier.name)
	if err == nil {
		if err = os.WriteFile(c.mark(), nil, 0o600); err != nil {
			err = errors.Join(err, thaw())
		}
	}
	if err != nil {
		return errors.Join(err, c.record(ctx, audit.PauseBody{PID: pid, Error: audit.Text(err.Error()), Resumed: true}))
	}
	s.thaw = thaw
	return w.send(controlAnswer{Began: true, Way: way})
}

// mark is the file that says to others that the session is paused.
func (c *control) mark() string { return socketIn(c.dir, c.s.subject.Session) + pausedMark }

// resume has it go on.
func (c *control) resume(ctx context.Context, w controlConn, pid int) error {
	s := &c.standstill
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thaw == nil {
		return errors.New("the session is not paused")
	}
	if err := c.record(ctx, audit.PauseBody{PID: pid, Resumed: true}); err != nil {
		return err
	}
	if err := c.goOn(); err != nil {
		return err
	}
	return w.send(controlAnswer{Began: true})
}

// goOn has it go on; standstill.mu is held.
func (c *control) goOn() error {
	thaw := c.standstill.thaw
	c.standstill.thaw = nil
	return errors.Join(thaw(), os.Remove(c.mark()))
}

// toEnd has a session that is paused go on, so that it can end as it wants to. What
// ends it does not wait for that: it ends in any case.
func (c *control) toEnd(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.done.Go(func() { c.letEnd(ctx) })
	}
}

func (c *control) letEnd(ctx context.Context) {
	s := &c.standstill
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thaw == nil {
		return
	}
	err := errors.Join(c.record(ctx, audit.PauseBody{Resumed: true}), c.goOn())
	if err != nil {
		printf(c.s.app.err, "ambit: %v\n", err)
	}
}

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause SESSION…",
		Short: "Have nothing in a session run until it is resumed",
		Long: `Have nothing in a session run until it is resumed: no program goes on, whatever signals
it gets, and what waits for an answer waits on. Its memory and its connections stay. A
bound on time goes on, and ends it. ambit stop lets it go on so that it can end.`,
		Example:           "  ambit pause s-7f3ak2mq5x\n  ambit pause --json s-7f3ak2mq5x | jq -r '.[].way'",
		ValidArgsFunction: a.completeSessions,
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.eachSession(cmd.Context(), ids, verbPause, "is paused")
		},
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume SESSION…",
		Short:             "Let a session go on that is paused",
		Long:              "Let a session go on that is paused, from where it stood.",
		Example:           "  ambit resume s-7f3ak2mq5x\n  ambit resume --json s-7f3ak2mq5x",
		ValidArgsFunction: a.completeSessions,
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.eachSession(cmd.Context(), ids, verbResume, "goes on")
		},
	}
}

// A stoodStill says for programs what became of a session.
type stoodStill struct {
	Session string `json:"session"`
	Way     string `json:"way,omitempty"` // by which it stands still
}

// eachSession tells sessions that run one thing.
func (a *app) eachSession(ctx context.Context, ids []string, verb, done string) error {
	if len(ids) == 0 {
		return errors.New("name a session; `ambit ps` lists them")
	}
	running, err := a.toStop(ctx, ids)
	if err != nil {
		return err
	}
	all := []stoodStill{}
	for _, s := range running {
		r, files, err := a.replied(ctx, s.ID, order{Verb: verb})
		closeAll(files)
		if err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		all = append(all, stoodStill{s.ID, r.Way})
		if !a.json {
			printf(a.out, "%s %s%s.\n", s.ID, done, words(r.Way))
		}
	}
	if a.json {
		return a.printJSON(all)
	}
	return nil
}

// paused reports whether a session that runs is paused.
func (a *app) paused(id string) bool {
	dir, err := a.state()
	if err != nil {
		return false
	}
	_, err = os.Lstat(filepath.Join(dir, controlDir, id+pausedMark))
	return err == nil
}
