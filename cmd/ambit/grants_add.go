package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// addFlags are the flags of ambit grants add.
type addFlags struct {
	pack, until, reason string
	deny, all, broad    bool
}

func (a *app) grantsAdd() *cobra.Command {
	f := &addFlags{}
	cmd := &cobra.Command{
		Use:   "add [flags] CAPABILITY…",
		Short: "Grant or deny capabilities until further notice",
		Long: `Grant capabilities to a pack, or to every command that is run without one; with
--deny, deny them. Paths are stored absolute and as what links lead to now; a
denial is stored for the names of those links too.

A pack is given only what its manifest declares. A denial may be wider, and
stands over every grant. Wide scopes, such as a whole home, need --broad. All
the capabilities of one command are stored, or none.`,
		Example: `  ambit grants add --pack examples/packs/history-report --all
  ambit grants add --until 2h fs.read:~/Documents/*.pdf
  ambit grants add --deny --reason "keys" fs.read:~/.ssh`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.addGrants(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.pack, "pack", "", "grant to the pack in this `folder`, or to the installed one with this id")
	fl.BoolVar(&f.deny, "deny", false, "deny instead")
	fl.StringVar(&f.until, "until", "", "for so long, or until then: `TIME`, as in 2h, 7d or 2026-12-01")
	fl.StringVar(&f.reason, "reason", "", "why, for whoever reads it later: `TEXT`")
	fl.BoolVar(&f.all, "all", false, "grant everything that the pack's manifest declares")
	fl.BoolVar(&f.broad, "broad", false, "also what is wide, such as a whole home")
	return cmd
}

func (a *app) addGrants(ctx context.Context, f *addFlags, texts []string) error {
	to, err := a.grantee(f.pack)
	if err != nil {
		return err
	}
	caps, err := a.toGrant(f, to, texts)
	if err != nil {
		return err
	}
	made, err := a.makeGrants(f, to, caps)
	if err != nil {
		return err
	}
	if err := a.mayGrant(ctx, made, a.signerOf(to.manifest.ID)); err != nil {
		return err
	}
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	var added []grant.Grant
	for _, g := range made {
		if i := slices.IndexFunc(stored, a.sameAs(g)); i >= 0 {
			printf(a.err, "%s holds already: %s.\n", stored[i].ID, a.sentence(stored[i], to.name()))
			continue
		}
		added = append(added, g)
	}
	if to.unowned {
		if err := a.own(ctx, to.manifest.ID, to.dir, a.recordOne); err != nil {
			return err
		}
	}
	if err := a.keep(ctx, added); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(append([]grant.Grant{}, added...))
	}
	for _, g := range added {
		printf(a.out, "%s  %s.\n", g.ID, capitalized(a.sentence(g, to.name())))
	}
	return nil
}

// toGrant reads the capabilities and refuses what may not be granted, before
// anything is stored.
func (a *app) toGrant(f *addFlags, to grantee, texts []string) (caps []capability.Capability, err error) {
	switch {
	case f.all && (to.dir == "" || f.deny || len(texts) > 0):
		return nil, errors.New("--all grants what the manifest of a --pack declares; it goes with neither --deny nor a capability")
	case !f.all && len(texts) == 0:
		return nil, errors.New("nothing to grant: give a capability such as fs.read:~/Documents, or --pack FOLDER --all")
	}
	if f.all {
		for _, w := range to.manifest.Wants {
			caps = append(caps, w.Capability)
		}
	}
	b, err := base()
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		c, err := capability.Parse(text)
		if err != nil {
			return nil, err
		}
		mean := settled
		if f.deny {
			mean = closing
		}
		means, err := mean(c, b)
		if err != nil {
			return nil, err
		}
		for _, c := range means {
			if _, ok := to.manifest.Declares(c); !ok && !f.deny {
				return nil, fmt.Errorf("the manifest of %s does not declare %s; it declares %s", to.manifest.ID, c.Display(), declared(to))
			}
			if !slices.Contains(caps, c) {
				caps = append(caps, c)
			}
		}
	}
	for _, c := range caps {
		if broad(c) && !f.broad && !f.deny {
			return nil, fmt.Errorf("%s is broad: it would let the program %s; add --broad if that is what you want", c.Display(), c.Describe())
		}
	}
	return caps, nil
}

func declared(to grantee) string {
	var texts []string
	for _, w := range to.manifest.Wants {
		texts = append(texts, w.Capability.Display())
	}
	if len(texts) == 0 {
		return "nothing"
	}
	return strings.Join(texts, ", ")
}

// makeGrants makes the values that are recorded and stored.
func (a *app) makeGrants(f *addFlags, to grantee, caps []capability.Capability) (made []grant.Grant, err error) {
	if strings.ContainsFunc(f.reason, func(r rune) bool { return r < ' ' || r == 0xfffd }) {
		return nil, errors.New("--reason: expected one line of text")
	}
	life := grant.Lifespan{Span: grant.Always}
	if f.until != "" {
		life.Span = grant.Until
		if life.Until, err = a.until("--until", f.until); err != nil {
			return nil, err
		}
	}
	for _, c := range caps {
		g := grant.Grant{ID: audit.NewID("g"), Principal: a.principal(), Pack: to.manifest.ID, Digest: to.digest, Capability: c,
			Outcome: grant.Allow, Lifespan: life, Origin: "ambit grants add", Reason: f.reason, Created: a.now().UTC()}
		if f.deny {
			g.Outcome = grant.Deny
		}
		made = append(made, g)
	}
	return made, nil
}

// sameAs reports whether a stored grant says what g would say.
func (a *app) sameAs(g grant.Grant) func(grant.Grant) bool {
	return func(old grant.Grant) bool {
		return a.standing(old) && old.Principal == g.Principal && old.Pack == g.Pack && old.Capability == g.Capability &&
			old.Outcome == g.Outcome && old.Lifespan.Span == grant.Always && g.Lifespan.Span == grant.Always
	}
}

// keep records the grants and then stores them.
func (a *app) keep(ctx context.Context, grants []grant.Grant) error {
	return a.change(ctx, grants, false, func(s *store.Store, g grant.Grant) error { return s.AddGrant(ctx, g) })
}

// change records what becomes of the grants, and then does it.
//
// Security: the record is durable before a grant can be used; a log that cannot
// be written refuses the change.
func (a *app) change(ctx context.Context, grants []grant.Grant, revoked bool, do func(*store.Store, grant.Grant) error) error {
	if len(grants) == 0 {
		return nil
	}
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // its writes are durable when they return
	if err := a.recordGrants(ctx, grants, revoked); err != nil {
		return err
	}
	for _, g := range grants {
		if err := do(s, g); err != nil {
			return err
		}
	}
	return nil
}

// recordGrants appends one record a grant, as one commit.
func (a *app) recordGrants(ctx context.Context, grants []grant.Grant, revoked bool) error {
	l, err := a.openLog()
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // its writes are durable when they return
	var records []audit.Record
	for _, g := range grants {
		r, err := grantRecord(g, revoked, g.Reason)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if _, err := l.Append(ctx, records...); err != nil {
		return fmt.Errorf("nothing was changed, since it could not be recorded: %w", err)
	}
	return nil
}

// grantRecord says what becomes of a grant.
func grantRecord(g grant.Grant, revoked bool, why string) (audit.Record, error) {
	r, err := audit.New(audit.GrantBody{Grant: g.ID, Digest: g.Digest, Capability: audit.Text(g.Capability.Display()),
		Outcome: g.Outcome.String(), Span: g.Lifespan.Span.String(), Until: g.Lifespan.Until, Origin: g.Origin,
		Reason: audit.Text(why), Revoked: revoked})
	r.ID, r.Principal, r.Pack = g.ID, g.Principal, g.Pack
	return r, err
}
