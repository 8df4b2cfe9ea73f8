package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/store"
)

func (a *app) psCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List the sessions that run",
		Long: `List the sessions that run: which pack or program, in which tier, since when, and
the process that looks after it, and whether it is paused. --all lists those that
have ended too, and how.
A session is listed when it has run for a moment.`,
		Example: `  ambit ps
  ambit ps --all
  ambit ps --json | jq -r '.[].session'`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listSessions(cmd.Context(), all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that have ended")
	return cmd
}

// sessionRow is a session for programs.
type sessionRow struct {
	Session   string    `json:"session"`
	Principal string    `json:"principal"`
	Pack      string    `json:"pack,omitempty"`
	Program   string    `json:"program"`
	Tier      string    `json:"tier"`
	PID       int       `json:"pid"` // of the process that looks after it
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Status    string    `json:"status"`
}

// sessions are those on the list, the latest last. Where nothing ever ran it makes
// no list.
func (a *app) sessions(ctx context.Context) ([]store.Session, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, "audit")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	l, err := a.openList()
	if err != nil {
		return nil, err
	}
	all, err := l.Sessions(ctx)
	slices.SortStableFunc(all, func(a, b store.Session) int { return a.Started.Compare(b.Started) })
	return all, errors.Join(err, l.Close())
}

func (a *app) listSessions(ctx context.Context, all bool) error {
	rows := []sessionRow{}
	found, err := a.sessions(ctx)
	if err != nil {
		return err
	}
	for _, s := range found {
		if all || s.Status == store.Running {
			if s.Status == store.Running && a.paused(s.ID) {
				s.Status = "paused"
			}
			rows = append(rows, sessionRow{s.ID, s.Principal, s.Pack, s.Program, s.Tier, s.PID, s.Started, s.Ended, s.Status})
		}
	}
	if a.json {
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		printf(a.err, "No session runs%s.\n", map[bool]string{false: "; --all lists those that have ended"}[all])
		return nil
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, []string{r.Session, auditOr(r.Pack, filepath.Base(r.Program)), r.Tier, strconv.Itoa(r.PID), r.Started.Local().Format(minute), r.Status})
	}
	return table(a.out, []string{"SESSION", "WHAT", "TIER", "PID", "STARTED", "STATUS"}, cells)
}
