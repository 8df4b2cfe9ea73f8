package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// approveRecord grants what was denied before.
//
// Security: the record says what was denied, to whom. What is granted is shown,
// and is not more than the person names; rules that stand over grants are asked
// before.
func (a *app) approveRecord(ctx context.Context, f *answerFlags, id string) error {
	r, c, err := a.deniedRecord(id)
	if err != nil {
		return err
	}
	acc := &account{Record: r}
	dir, err := a.auditDir()
	if err == nil {
		err = acc.launched(dir)
	}
	if err != nil {
		return err
	}
	to, err := a.whose(acc)
	if err != nil {
		return err
	}
	if c, err = a.scoped(f, c, to); err != nil {
		return err
	}
	life, err := a.lifespan(f)
	if err == nil && life.Span == grant.Session {
		life.Session, err = a.running(ctx, r.Session)
	}
	if err != nil {
		return err
	}
	g := grant.Grant{ID: audit.NewID("g"), Principal: a.principal(), Pack: to.manifest.ID, Digest: to.digest, Capability: c, Outcome: grant.Allow,
		Lifespan: life, Origin: "ambit approve", Reason: "denied as " + r.ID, Created: a.now().UTC()}
	if err := a.grantable(ctx, g, to); err != nil {
		return err
	}
	if !a.json {
		printf(a.err, "%s was denied. Granting: %s.\n", r.ID, a.sentence(g, to.name()))
	}
	if err := a.keep(ctx, []grant.Grant{g}); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(g)
	}
	printf(a.out, "%s  %s.\n", g.ID, capitalized(a.sentence(g, to.name())))
	return nil
}

// deniedRecord finds the record of a denial, and what was denied.
func (a *app) deniedRecord(id string) (r audit.Record, c capability.Capability, err error) {
	unknown := fmt.Errorf("no question %s waits, and nothing was denied by that id; `ambit approvals` and `ambit audit ls` list what there is", capability.Printable(id))
	if !isID(id) {
		return r, c, unknown
	}
	dir, err := a.auditDir()
	if err != nil {
		return r, c, err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return r, c, unknown
	}
	if r, err = audit.Find(dir, id); errors.Is(err, audit.ErrNotFound) {
		return r, c, unknown
	} else if err != nil {
		return r, c, err
	}
	body, err := r.Decode()
	if err != nil {
		return r, c, err
	}
	var text audit.Text
	switch b := body.(type) {
	case *audit.DecisionBody:
		if text = b.Capability; b.Outcome == decision.Allow.String() {
			return r, c, fmt.Errorf("%s was allowed; there is nothing to approve", id)
		}
	case *audit.DenialBody:
		text = b.Capability
	default:
		return r, c, fmt.Errorf("record %s is of kind %s; only what was denied can be approved", id, r.Kind)
	}
	if r.Principal != a.principal() {
		return r, c, fmt.Errorf("%s was denied to %s, you are %s", id, r.Principal, a.principal())
	}
	if c, err = capability.Parse(string(text)); err != nil {
		return r, c, fmt.Errorf("what %s denied cannot be granted by itself: %w", id, err)
	}
	return r, c, nil
}

// whose finds for whom it would be granted. A pack is looked for where it ran.
func (a *app) whose(acc *account) (grantee, error) {
	if acc.Record.Pack == "" {
		return a.grantee("")
	}
	advice := "; `ambit grants add --pack FOLDER` grants to a pack by its folder"
	if acc.by.Dir == "" {
		return grantee{}, fmt.Errorf("the log does not say where the pack %s lies%s", capability.Printable(acc.Record.Pack), advice)
	}
	to, err := a.grantee(string(acc.by.Dir))
	if err == nil && to.manifest.ID != acc.Record.Pack {
		err = fmt.Errorf("the pack in %s is %s now, it was %s%s", capability.Printable(to.dir), capability.Printable(to.manifest.ID), capability.Printable(acc.Record.Pack), advice)
	}
	return to, err
}

// scoped is how much of what was denied is to be granted.
//
// Security: between the denial and now the program may have put a link where the
// object was; what was denied is granted, and not what it leads to.
func (a *app) scoped(f *answerFlags, denied capability.Capability, to grantee) (capability.Capability, error) {
	b, err := base()
	if err != nil {
		return denied, err
	}
	c := denied
	switch f.scope {
	case "", "file":
	case "dir":
		pattern, _ := c.Pattern()
		path, literal := pattern.Literal()
		if !literal {
			return c, fmt.Errorf("--scope dir: %s lies in no directory", c.Display())
		}
		if c, err = capability.ForPath(c.Kind(), filepath.Dir(path)); err != nil {
			return c, err
		}
	case "declared":
		want, ok := to.manifest.Declares(c)
		if !ok || to.manifest.Open {
			return c, fmt.Errorf("--scope declared: no manifest declares %s", c.Display())
		}
		c = want.Capability
	default:
		if c, err = capability.Parse(f.scope); err == nil {
			c, err = c.Resolve(b)
		}
		if err == nil && !c.Covers(denied) {
			err = fmt.Errorf("it does not cover %s, which was denied", denied.Display())
		}
		if err != nil {
			return c, fmt.Errorf("--scope %s: %w", capability.Printable(f.scope), err)
		}
	}
	now, err := settle(c, b)
	if err == nil && now != c {
		err = fmt.Errorf("%s leads to %s now; grant that by its name if it is what you want", c.Display(), now.Display())
	}
	if err != nil {
		return c, err
	}
	secret := ""
	if pattern, ok := c.Pattern(); ok {
		if secret, ok = capability.Sensitive(pattern.Root(), b.Home); !ok {
			secret, _ = capability.AboveSensitive(pattern.Root(), b.Home)
		}
	}
	return c, f.wide(c, c.Broad() || secret != "", secret)
}

// running refuses a session that has ended.
func (a *app) running(ctx context.Context, id string) (string, error) {
	l, err := a.questions()
	if err != nil {
		return "", err
	}
	var all []store.Session
	if l != nil {
		defer l.Close() //nolint:errcheck // nothing was written
		if all, err = l.Sessions(ctx); err != nil {
			return "", err
		}
	}
	if !slices.ContainsFunc(all, func(s store.Session) bool { return s.ID == id && s.Status == store.Running }) {
		return "", fmt.Errorf("--for session: the session %s does not run any more", id)
	}
	return id, nil
}

// grantable refuses a grant that rules stand over: it would do nothing.
func (a *app) grantable(ctx context.Context, g grant.Grant, to grantee) error {
	s := &prepared{app: a}
	var err error
	if s.base, err = base(); err != nil {
		return err
	}
	m := a.manage()
	defer m.close()
	m.of(a.signerOf(to.manifest.ID), "")
	if s.policy, err = readPolicy(s.base, m); err != nil {
		return err
	}
	if err := s.protectState(); err != nil {
		return err
	}
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	in := decision.Input{Manifest: to.manifest, Grants: append(stored, g), Policy: s.policy, Now: a.now()}
	d := decision.Decide(decision.Request{Capability: g.Capability,
		Subject: decision.Subject{Principal: g.Principal, Session: g.Lifespan.Session, Pack: g.Pack, Digest: g.Digest}}, in)
	if d.Outcome == decision.Allow {
		return nil
	}
	err = fmt.Errorf("%s cannot be granted: %s", g.Capability.Display(), reason(d))
	if why := d.Reasons[0]; why.Rule == decision.Denied {
		err = fmt.Errorf("%w; `ambit grants revoke %s` takes that back", err, why.Grant)
	}
	return err
}

// completeApprove completes ids of questions that wait, then those of the latest
// denials.
func (a *app) completeApprove(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, how := a.completeApprovals(cmd, args, typed)
	if len(args) > 0 {
		return all, how
	}
	dir, err := a.auditDir()
	if err != nil {
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	latest, err := audit.Last(dir, 20, func(r audit.Record) bool {
		body, err := r.Decode()
		d, decided := body.(*audit.DecisionBody)
		return err == nil && (r.Kind == audit.Denial || decided && d.Outcome == decision.Deny.String())
	})
	if err != nil {
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	for _, r := range latest {
		if _, c, err := a.deniedRecord(r.ID); err == nil {
			all = append(all, cobra.CompletionWithDesc(r.ID, c.Display()))
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
