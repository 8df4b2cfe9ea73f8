package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/store"
)

func (a *app) approvalsCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "approvals",
		Short: "List the questions that wait for an answer",
		Long: `List what running programs have asked for and nobody has answered yet: who asks,
what it wants, and what can be granted. A question whose session is gone is shown
as withdrawn and takes no answer. What comes from a program is shown escaped.`,
		Example: `  ambit approvals
  ambit approvals --watch
  ambit approvals --json | jq -r '.[].question.id'`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return a.watchApprovals(cmd.Context())
			}
			return a.listApprovals(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on and show each question as it is put, until you interrupt")
	return cmd
}

func (a *app) listApprovals(ctx context.Context) error {
	all, err := a.waiting(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(asJSON(all))
	}
	if len(all) == 0 {
		printf(a.err, "Nobody asks for anything.\n")
	}
	for i, q := range all {
		if i > 0 {
			printf(a.out, "\n")
		}
		a.printQuestion(q)
	}
	return nil
}

// watchEvery is how often new questions are looked for.
const watchEvery = 250 * time.Millisecond

// watchApprovals shows each question once, when it is put, and says when it is
// over.
func (a *app) watchApprovals(ctx context.Context) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	shown := map[string]bool{}
	for {
		all, err := a.waiting(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		for id := range shown {
			if !slices.ContainsFunc(all, func(q store.Approval) bool { return q.ID == id && !q.Withdrawn }) {
				delete(shown, id)
				if !a.json {
					printf(a.out, "%s is over.\n\n", id)
				}
			}
		}
		for _, q := range all {
			if shown[q.ID] || q.Withdrawn {
				continue
			}
			shown[q.ID] = true
			if a.json {
				if err := a.printLine(asJSON([]store.Approval{q})[0]); err != nil {
					return err
				}
				continue
			}
			a.printQuestion(q)
			printf(a.out, "\n")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// waiting are the questions that were neither answered nor closed, and whose
// time is not over.
func (a *app) waiting(ctx context.Context) ([]store.Approval, error) {
	l, err := a.questions()
	if l == nil || err != nil {
		return nil, err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	all, err := l.Approvals(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	return slices.DeleteFunc(all, func(q store.Approval) bool { return q.Answer != nil || !now.Before(q.Expires) }), nil
}

// questions opens the list, or answers nil where there is none yet.
func (a *app) questions() (*store.List, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, sessionList)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return a.openList()
}

// questionOf is a row as the question that it is, whose methods escape it.
func questionOf(q store.Approval) approval.Question {
	asked := approval.Question{ID: q.ID, Session: q.Session, Principal: q.Principal, Pack: q.Pack, Digest: q.Digest, Program: q.Program,
		PID: q.PID, Argv: q.Argv, Capability: q.Capability, Reason: q.Reason, Sensitive: q.Sensitive, Asked: q.Asked, Expires: q.Expires}
	for _, o := range q.Offers {
		asked.Offers = append(asked.Offers, approval.Offer{Capability: o.Capability, Scope: approval.Scope(o.Scope), Words: o.Words, Broad: o.Broad})
	}
	return asked
}

// waitingQuestion is a question for programs.
type waitingQuestion struct {
	State    string            `json:"state"` // "waiting" or "withdrawn"
	Age      string            `json:"age"`
	Question approval.Question `json:"question"`
}

func asJSON(all []store.Approval) []waitingQuestion {
	list := []waitingQuestion{}
	for _, q := range all {
		list = append(list, waitingQuestion{stateOf(q), age(q), questionOf(q)})
	}
	return list
}

func stateOf(q store.Approval) string {
	if q.Withdrawn {
		return "withdrawn"
	}
	return "waiting"
}

// age is how long ago a question was put.
func age(q store.Approval) string { return time.Since(q.Asked).Round(time.Second).String() }

// commandWidth bounds the command line of a question; the end stays in sight.
const commandWidth = 160

func (a *app) printQuestion(row store.Approval) {
	q := questionOf(row)
	head := q.ID + "  " + q.Who() + " wants to " + q.What()
	if row.Withdrawn {
		head += " (withdrawn: its session is gone)"
	}
	printf(a.out, "%s\n", head)
	rows := [][]string{{"asked", age(row) + " ago, until " + q.Expires.Local().Format("15:04:05")},
		{"command", approval.Shorten(q.Command(), commandWidth)}, {"capability", q.Capability.Display()},
		{"says", q.Why()}, {"careful", q.Warning()}, {"session", q.Session}}
	if !row.Withdrawn {
		for _, o := range q.Offers {
			mark := ""
			if o.Broad {
				mark = " (broad)"
			}
			rows = append(rows, []string{"can grant", fmt.Sprintf("--scope %-8s  %s%s", o.Scope, o.Words, mark)})
		}
		rows = append(rows, []string{"answer", "ambit approve " + q.ID + "   or   ambit deny " + q.ID})
	}
	a.printRows(rows)
}

// find returns the waiting question whose id begins with what is given; ok is
// false if there is none.
func find(all []store.Approval, id string) (found store.Approval, ok bool, err error) {
	var ids []string
	for _, q := range all {
		if q.ID == id {
			return q, true, nil
		}
		if rest, match := strings.CutPrefix(q.ID, id); match && rest != "" && id != "" && id != "d" && id != "d-" {
			found, ids = q, append(ids, q.ID)
		}
	}
	if len(ids) > 1 {
		return store.Approval{}, false, fmt.Errorf("%q is the beginning of %s; give more of the one that you mean", id, strings.Join(ids, ", "))
	}
	return found, len(ids) == 1, nil
}

// completeApprovals completes ids of questions that wait.
func (a *app) completeApprovals(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := a.waiting(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var ids []cobra.Completion
	for _, q := range all {
		if !q.Withdrawn {
			ids = append(ids, cobra.CompletionWithDesc(q.ID, questionOf(q).What()))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
