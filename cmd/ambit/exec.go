package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func (a *app) execCommand() *cobra.Command {
	var env []string
	var dir, id string
	cmd := &cobra.Command{
		Use:   "exec [flags] SESSION [--] COMMAND [ARG…]",
		Short: "Start another program in a session that runs",
		Long: `Start another program in a session that runs: in its view, with its rights and its
limits, and nothing more. Whether it may be started is decided as for the session's
own programs, and recorded.

On a terminal it gets one of its own, in the session. Signals reach it, and its exit
status is ambit's, as with ambit run. When ambit exec is killed, the program ends with
all that it started; what a program that has ended left running goes on until the
session ends.`,
		Example: `  ambit exec s-7f3ak2mq5x -- sh
  ambit exec s-7f3ak2mq5x cat /proc/self/status
  ambit exec --env DEBUG=1 --dir /tmp s-7f3ak2mq5x make check`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("ambit exec needs a session (`ambit ps` lists them) and a command")
			}
			return nil
		},
		ValidArgsFunction: a.completeFirstSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := args[1:]
			if argv[0] == "--" {
				argv = argv[1:]
			}
			if len(argv) == 0 {
				return errors.New("no command to start")
			}
			return a.enter(cmd.Context(), args[0], order{Verb: verbExec, Args: argv, Env: setHere(env), Dir: dir, Term: os.Getenv("TERM"), ID: id})
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().Var((*texts)(&env), "env", "let an environment variable through, or set it: `NAME[=VALUE]`")
	cmd.Flags().StringVar(&dir, "dir", "", "start in this `folder` of the session (default: where its program was started)")
	cmd.Flags().StringVar(&id, "exec-id", "", "the id of the record of this, one that no other has")
	_ = cmd.Flags().MarkHidden("exec-id") // for ambit serve, which tells it before the program is there
	return cmd
}

// setHere are variables with their values: those without one have it here.
func setHere(names []string) (env []string) {
	for _, text := range names {
		if strings.Contains(text, "=") {
			env = append(env, text)
		} else if value, ok := os.LookupEnv(text); ok {
			env = append(env, text+"="+value)
		}
	}
	return env
}

// completeFirstSession completes a session, and nothing behind it.
func (a *app) completeFirstSession(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeSessions(cmd, args, word)
}

// enter starts a program in a session, and is it for whoever started us.
func (a *app) enter(ctx context.Context, session string, o order) error {
	io, err := a.lend()
	if err != nil {
		return err
	}
	defer io.restore()
	o.Terminals = io.terminals
	caught := catchSignals() // before anything is there to be ended by one
	w, err := a.reach(ctx, session, o, io.hand...)
	io.handed()
	if err != nil {
		return err
	}
	defer w.c.Close() //nolint:errcheck // it has ended, or ends with it
	stop := io.signals(w, caught)
	defer stop()
	var began controlAnswer
	files, err := w.receive(&began)
	if err != nil {
		return fmt.Errorf("the session %s ended meanwhile: %w", session, err)
	}
	if err := began.err(); err != nil {
		return err
	}
	if len(files) > 0 {
		io.on(files[0])
	}
	io.began.Store(true)
	var last controlAnswer
	more, err := w.receive(&last)
	closeAll(more)
	io.drain()
	if err != nil {
		return fmt.Errorf("the session %s ended meanwhile: %w", session, err)
	}
	return errors.Join(last.err(), last.Ended.err(o.Args[0]))
}

// err is the end of a program as the end of ambit.
func (e *ending) err(program string) error {
	switch {
	case e == nil:
		return nil
	case e.Errno != 0:
		return cannotExec(program, syscall.Errno(e.Errno))
	case e.Exit != 0:
		return &exitError{status: e.Exit}
	}
	return nil
}
