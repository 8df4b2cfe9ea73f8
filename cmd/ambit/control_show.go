package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

// A shownSession is a session that runs, as it is told to people and programs.
type shownSession struct {
	Session   string          `json:"session"`
	Principal string          `json:"principal"`
	Pack      string          `json:"pack,omitempty"`
	Digest    string          `json:"digest,omitempty"` // of the pack
	PID       int             `json:"pid"`              // of what looks after it
	Init      int             `json:"init,omitempty"`   // of its first process
	Argv      []string        `json:"argv"`
	Dir       string          `json:"dir"`
	Plan      string          `json:"plan"` // its digest
	Paused    bool            `json:"paused,omitempty"`
	Effective []string        `json:"effective"`
	Report    enforce.Report  `json:"report"`
	Counts    []session.Count `json:"counts"`
	Traffic   session.Traffic `json:"traffic"`
}

// show tells about the session.
func (c *control) show(w controlConn) error {
	s := c.s
	f, err := inMemory(shownSession{
		Session: s.spec.ID, Principal: s.spec.Principal, Pack: s.spec.Pack, Digest: s.spec.Digest, PID: os.Getpid(), Init: c.inside.PID(),
		Argv: s.spec.Plan.Program.Argv, Dir: s.spec.Plan.Program.Dir, Plan: s.spec.Plan.Digest(), Paused: c.stands() != nil, Effective: append([]string{}, s.spec.Effective...),
		Report: c.inside.Report(), Counts: append([]session.Count{}, c.tally.Counts()...), Traffic: c.tally.Traffic(),
	})
	if err != nil {
		return err
	}
	defer f.Close()
	return w.send(controlAnswer{Began: true}, f)
}

func (a *app) sessionShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show SESSION",
		Short: "Show a session that runs: what it may, what holds, what it did",
		Long: `Show a session that runs: what was started, what it was granted at its start, the
tier and each layer as it was read back, the digest of its plan, and what was allowed,
asked and denied until now.`,
		Example:           "  ambit session show s-7f3ak2mq5x\n  ambit session show --json s-7f3ak2mq5x | jq .report",
		Args:              exactly(1, "a session; `ambit ps` lists them"),
		ValidArgsFunction: a.completeFirstSession,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showSession(cmd.Context(), args[0]) },
	}
}

func (a *app) showSession(ctx context.Context, id string) error {
	files, err := a.told(ctx, id, order{Verb: verbShow})
	if err != nil {
		return err
	}
	defer closeAll(files)
	var v shownSession
	if len(files) != 1 {
		return errors.New("the session does not say what it is")
	}
	if err := fromMemory(files[0], &v); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(v)
	}
	a.printSession(v)
	return nil
}

// printSession is for people.
func (a *app) printSession(v shownSession) {
	line := func(name, format string, args ...any) {
		printf(a.out, "%-12s %s\n", name, capability.Printable(fmt.Sprintf(format, args...)))
	}
	line("session", "%s, of %s, looked after by process %d", v.Session, v.Principal, v.PID)
	if v.Pack != "" {
		line("pack", "%s", auditJoin(v.Pack, v.Digest))
	}
	line("runs", "%s in %s", shellLine(v.Argv), v.Dir)
	line("tier", "%s", v.Report.Tier)
	line("plan", "%s", v.Plan)
	if v.Paused {
		line("paused", "nothing in it runs; ambit resume lets it go on")
	}
	for _, c := range v.Effective {
		line("may", "%s", c)
	}
	for _, l := range v.Report.Layers {
		state := "holds"
		if !l.Holds {
			state = "does not hold"
		} else if l.Weaker {
			state = "holds in the weaker way"
		}
		line("layer", "%s: %s%s", l.Name, state, words(l.Detail))
	}
	for _, c := range v.Counts {
		line("until now", "%s: %d allowed, %d asked, %d denied", c.Capability, c.Allowed, c.Asked, c.Denied)
	}
	if t := v.Traffic; t.Flows > 0 {
		line("network", "%d connections ended, %s in, %s out, %d refused", t.Flows, size(t.In), size(t.Out), t.Refused)
	}
}

// shellLine is a command as a shell would take it.
func shellLine(argv []string) string {
	quoted := make([]string, len(argv))
	for i, w := range argv {
		quoted[i] = shellWord(w)
	}
	return strings.Join(quoted, " ")
}
