package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// answerFlags are the flags of ambit approve and ambit deny.
type answerFlags struct {
	scope, span string
	broad       bool
	outcome     grant.Outcome
}

func (a *app) approveCommand() *cobra.Command {
	f := &answerFlags{outcome: grant.Allow}
	cmd := &cobra.Command{
		Use:   "approve [flags] ID",
		Short: "Allow what a running program asks for, or what was denied before",
		Long: `Answer a question that waits, by its id or the beginning of it: the call that
waits goes on. Without flags exactly what was touched is allowed, until the
program ends.

With the id of something that was denied before, grant it, once without --for:
for the next run, or for the next touch of a program that runs with --ask. What
policy forbids or the pack's manifest does not declare cannot be granted.`,
		Example: `  ambit approve d-7f3ak2mq5x
  ambit approve d-7f3 --scope dir --for session
  ambit approve d-7f3 --scope declared --for always
  ambit approve d-7f3 --for 2h`,
		Args:              exactly(1, "the id of a question (`ambit approvals` lists them) or of a denial"),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.approve(cmd.Context(), f, args[0]) },
		ValidArgsFunction: a.completeApprove,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.broad, "broad", false, "also what is wide, or reaches secrets")
	return cmd
}

func (a *app) denyCommand() *cobra.Command {
	f := &answerFlags{outcome: grant.Deny}
	cmd := &cobra.Command{
		Use:   "deny [flags] ID",
		Short: "Refuse what a running program asks for",
		Long: `Refuse a question that waits, by its id or the beginning of it. Without flags
exactly what was touched is refused until the program ends; with --for, the no is
stored and stands over every grant.`,
		Example: `  ambit deny d-7f3ak2mq5x
  ambit deny d-7f3 --scope dir --for always`,
		Args:              exactly(1, "the id of a question; `ambit approvals` lists them"),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.answerOnly(cmd.Context(), f, args[0]) },
		ValidArgsFunction: a.completeApprovals,
	}
	f.add(cmd)
	return cmd
}

func (f *answerFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.scope, "scope", "", "how much: `SCOPE` is file, run, dir, declared, or one of the capabilities that are offered")
	fl.StringVar(&f.span, "for", "once", "how long: `SPAN` is once, session, always, a duration such as 2h or 7d, or a time")
	for flag, words := range map[string][]string{"scope": {"file", "run", "dir", "declared"}, "for": {"once", "session", "always", "2h", "7d"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, oneOf(words...)) // the flags are there
	}
}

// lifespan reads how long an answer is good for. A session is filled in by whom
// it is for.
func (a *app) lifespan(f *answerFlags) (l grant.Lifespan, err error) {
	switch f.span {
	case "once":
		return grant.Lifespan{Span: grant.Once}, nil
	case "session":
		return grant.Lifespan{Span: grant.Session}, nil
	case "always":
		return grant.Lifespan{Span: grant.Always}, nil
	}
	l.Span = grant.Until
	l.Until, err = a.until("--for", f.span)
	return l, err
}

// approve answers a question that waits, or grants what was denied before.
func (a *app) approve(ctx context.Context, f *answerFlags, id string) error {
	q, ok, err := a.findWaiting(ctx, id)
	switch {
	case err != nil:
		return err
	case ok:
		return a.give(ctx, f, q)
	}
	if err := a.answeredBefore(ctx, id); err != nil {
		return err
	}
	return a.approveRecord(ctx, f, id)
}

// answeredBefore says how a question was answered, if it was.
func (a *app) answeredBefore(ctx context.Context, id string) error {
	l, err := a.questions()
	if l == nil || err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	q, err := l.Approval(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case q.Answer != nil:
		return fmt.Errorf("%s takes no answer any more: it was answered with %s of %s by %s", q.ID, q.Answer.Outcome, q.Answer.Capability.Display(), q.Answer.By)
	}
	return nil
}

// answerOnly answers a question that waits, and nothing else.
func (a *app) answerOnly(ctx context.Context, f *answerFlags, id string) error {
	q, ok, err := a.findWaiting(ctx, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("no question %s waits; `ambit approvals` lists them, and `ambit grants add --deny` denies what nobody has asked for yet", capability.Printable(id))
	}
	return a.give(ctx, f, q)
}

func (a *app) findWaiting(ctx context.Context, id string) (store.Approval, bool, error) {
	all, err := a.waiting(ctx)
	if err != nil {
		return store.Approval{}, false, err
	}
	q, ok, err := find(all, id)
	if ok && q.Withdrawn {
		return q, false, fmt.Errorf("%s is withdrawn: the session that asked is gone", q.ID)
	}
	return q, ok, err
}

// given is what came of an answer, for programs.
type given struct {
	Question   string                `json:"question"`
	Outcome    string                `json:"outcome"`
	Capability capability.Capability `json:"capability"`
	Span       string                `json:"span"`
	Until      time.Time             `json:"until,omitzero"`
	Taken      bool                  `json:"taken"` // the session has it
}

// give gives the answer to a question that waits.
func (a *app) give(ctx context.Context, f *answerFlags, q store.Approval) error {
	life, err := a.lifespan(f)
	if err != nil {
		return err
	}
	c, err := a.chosen(f, q)
	if err != nil {
		return err
	}
	ans := store.Answer{Outcome: f.outcome, Capability: c, Span: life.Span, Until: life.Until, By: "ambit " + map[grant.Outcome]string{grant.Allow: "approve", grant.Deny: "deny"}[f.outcome]}
	l, err := a.questions()
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // its changes were made when they returned
	if err := l.AnswerApproval(ctx, q.ID, ans, a.now()); err != nil {
		return answerRefused(q, err)
	}
	g := given{Question: q.ID, Outcome: ans.Outcome.String(), Capability: c, Span: ans.Span.String(), Until: ans.Until}
	if g.Taken, err = taken(ctx, l, q.ID); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(g)
	}
	printf(a.out, "%s  %s: %s.\n", q.ID, map[grant.Outcome]string{grant.Allow: "Allowed", grant.Deny: "Refused"}[f.outcome], a.answered(q, ans))
	if !g.Taken {
		printf(a.err, "ambit: the session has not taken the answer yet; it may be stopped\n")
	}
	return nil
}

func answerRefused(q store.Approval, err error) error {
	for _, cause := range []error{store.ErrAnswered, store.ErrEnded, store.ErrExpired, store.ErrWithdrawn} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%s takes no answer any more: %w", q.ID, cause)
		}
	}
	return err
}

// patience is how long a session may take to see its answer.
const patience = 2 * time.Second

// taken waits until the session has closed the question.
func taken(ctx context.Context, l *store.List, id string) (bool, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		q, err := l.Approval(ctx, id)
		if err != nil || !q.Closed.IsZero() {
			return err == nil, err
		}
	}
	return false, nil
}

// answered says what an answer does.
func (a *app) answered(q store.Approval, ans store.Answer) string {
	g := grant.Grant{Pack: q.Pack, Capability: ans.Capability, Outcome: ans.Outcome, Lifespan: grant.Lifespan{Span: ans.Span, Until: ans.Until}}
	if ans.Span == grant.Once || ans.Span == grant.Session {
		return gives(g, q.Program) + ", until the program ends"
	}
	return a.sentence(g, grantName(g))
}

// chosen finds the offer that is meant. Without a word it is the narrowest.
func (a *app) chosen(f *answerFlags, q store.Approval) (capability.Capability, error) {
	if f.scope == "" && f.outcome == grant.Deny {
		return q.Capability, nil
	}
	var words []string
	for i, o := range q.Offers {
		if f.scope == "" && i == 0 || f.scope == o.Scope || f.scope == o.Capability.Display() {
			return o.Capability, f.wide(o.Capability, o.Broad, q.Sensitive)
		}
		words = append(words, o.Scope+" ("+o.Capability.Display()+")")
	}
	if c, err := capability.Parse(f.scope); err == nil { // another spelling
		if b, err := base(); err == nil {
			if c, err = settle(c, b); err == nil {
				for _, o := range q.Offers {
					if o.Capability == c {
						return c, f.wide(c, o.Broad, q.Sensitive)
					}
				}
			}
		}
	}
	return capability.Capability{}, fmt.Errorf("--scope %s: %s offers %s", capability.Printable(f.scope), q.ID, strings.Join(words, ", "))
}

// wide refuses to grant what is wide or reaches secrets, unless that is meant.
func (f *answerFlags) wide(c capability.Capability, broad bool, secret string) error {
	if !broad || f.broad || f.outcome != grant.Allow {
		return nil
	}
	what := "is broad"
	if secret != "" {
		what = "reaches " + capability.Printable(secret)
	}
	return fmt.Errorf("%s %s: it would let the program %s; add --broad if that is what you want", c.Display(), what, c.Describe())
}
