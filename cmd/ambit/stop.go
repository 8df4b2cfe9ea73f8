package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/store"
)

func (a *app) stopCommand() *cobra.Command {
	var now, all bool
	cmd := &cobra.Command{
		Use:   "stop {SESSION… | --all}",
		Short: "End sessions that run",
		Long: `End sessions that run. The program is told to end (SIGTERM), and with all it started
it is ended when it has not after five seconds. --now ends it at once, and what
looks after it with it: its end is then not in the log.`,
		Example: `  ambit stop s-7f3ak2mq5x
  ambit stop --all
  ambit stop --now s-7f3ak2mq5x`,
		ValidArgsFunction: a.completeSessions,
		RunE:              func(cmd *cobra.Command, ids []string) error { return a.stopSessions(cmd.Context(), ids, all, now) },
	}
	cmd.Flags().BoolVar(&now, "now", false, "end them without giving them time (SIGKILL)")
	cmd.Flags().BoolVar(&all, "all", false, "all of yours")
	return cmd
}

// stopWithin is how long a session has to end when it was told to: longer than
// what looks after it gives the program.
const stopWithin = 10 * time.Second

func (a *app) stopSessions(ctx context.Context, ids []string, all, now bool) error {
	if all == (len(ids) > 0) {
		return errors.New("name the sessions to end (`ambit ps` lists them), or --all")
	}
	running, err := a.toStop(ctx, ids)
	if err != nil {
		return err
	}
	signal := unix.SIGTERM
	if now {
		signal = unix.SIGKILL
	}
	begun := make([]*keeper, 0, len(running))
	for _, s := range running {
		k, err := a.keeperOf(ctx, s)
		if err == nil && k != nil {
			defer k.close()
			err = k.signal(signal)
			begun = append(begun, k)
		}
		if err != nil {
			return err
		}
	}
	stopped := []string{}
	for _, k := range begun {
		if err := k.wait(ctx, stopWithin); err != nil {
			return err
		}
		stopped = append(stopped, k.session)
		if !a.json {
			printf(a.out, "%s has ended.\n", k.session)
		}
	}
	if a.json {
		return a.printJSON(stopped)
	}
	if len(stopped) == 0 {
		printf(a.err, "No session runs.\n")
	}
	return nil
}

// endSession tells a session to end, and does not wait for that.
func (a *app) endSession(ctx context.Context, s store.Session) error {
	k, err := a.keeperOf(ctx, s)
	if k == nil || err != nil {
		return err
	}
	defer k.close()
	return k.signal(unix.SIGTERM)
}

// toStop finds the sessions, and refuses all if one of the ids is wrong.
func (a *app) toStop(ctx context.Context, ids []string) (running []store.Session, err error) {
	found, err := a.sessions(ctx)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return slices.DeleteFunc(found, func(s store.Session) bool { return s.Status != store.Running || !a.sees(s.Principal) }), nil
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		i := slices.IndexFunc(found, func(s store.Session) bool { return s.ID == id && (a.org == "" || a.sees(s.Principal)) })
		switch {
		case i < 0:
			return nil, fmt.Errorf("there is no session %q; `ambit ps` lists them", id)
		case found[i].Status != store.Running:
			return nil, fmt.Errorf("the session %s does not run any more: %s", id, found[i].Status)
		}
		running = append(running, found[i])
	}
	return running, nil
}

// A keeper is the process that looks after a session.
type keeper struct {
	session string
	fd      int
}

// keeperOf holds to the process that looks after a session; nil: it has ended.
//
// Security: the process is held to first, and then it is asked once more whether
// the session runs, which it does only while its process is the one that it began
// with. What is signalled is that one, and no later one with its number.
func (a *app) keeperOf(ctx context.Context, s store.Session) (*keeper, error) {
	fd, err := unix.PidfdOpen(s.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find process %d of the session %s: %w", s.PID, s.ID, err)
	}
	k := &keeper{s.ID, fd}
	now, err := a.sessions(ctx)
	if err != nil || !slices.ContainsFunc(now, func(n store.Session) bool { return n.ID == s.ID && n.PID == s.PID && n.Status == store.Running }) {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *keeper) signal(s unix.Signal) error {
	if err := unix.PidfdSendSignal(k.fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end the session %s: %w", k.session, err)
	}
	return nil
}

// wait waits until the process has ended.
func (k *keeper) wait(ctx context.Context, most time.Duration) error {
	ended := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(most); ; {
		switch n, err := unix.Poll(ended, 100); {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for the session %s: %w", k.session, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("the session %s has not ended after %v; `ambit stop --now %s` ends it", k.session, most, k.session)
		}
	}
}

func (k *keeper) close() { _ = unix.Close(k.fd) }

// completeSessions completes ids of sessions that run.
func (a *app) completeSessions(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	found, err := a.sessions(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var ids []cobra.Completion
	for _, s := range found {
		if s.Status == store.Running {
			ids = append(ids, cobra.CompletionWithDesc(s.ID, auditOr(s.Pack, s.Program)))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
