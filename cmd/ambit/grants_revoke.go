package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

func (a *app) grantsRevoke() *cobra.Command {
	var pack string
	var all, kill bool
	cmd := &cobra.Command{
		Use:   "revoke {ID… | --pack PACK | --all}",
		Short: "Take grants and denials back",
		Long: `Take back grants and denials: those with the given ids, with --pack all of one
pack, with --all all of yours.

Programs that run already lose it within a second: the path leads nowhere from
then on. What they have open of it stays open, and is listed; --kill ends the
sessions that lose something.`,
		Example: `  ambit grants revoke g-7f3ak2mq5x
  ambit grants revoke --kill g-7f3ak2mq5x
  ambit grants revoke --pack org.example.notes
  ambit grants revoke --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.revokeGrants(cmd.Context(), pack, all, kill, args)
		},
		ValidArgsFunction: a.completeGrants,
	}
	cmd.Flags().StringVar(&pack, "pack", "", "all of this `PACK`, by its id or folder")
	cmd.Flags().BoolVar(&all, "all", false, "all of yours")
	cmd.Flags().BoolVar(&kill, "kill", false, "end the sessions that lose something by it")
	return cmd
}

func (a *app) revokeGrants(ctx context.Context, pack string, all, kill bool, ids []string) error {
	if ways := count(pack != "", all, len(ids) > 0); ways != 1 {
		return errors.New("name what to revoke in one way: ids (`ambit grants ls` shows them), --pack or --all")
	}
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	chosen, err := a.toRevoke(stored, pack, ids)
	if err != nil {
		return err
	}
	begin := a.now()
	if err := a.takeBack(ctx, chosen); err != nil {
		return err
	}
	lost, err := a.effects(ctx, chosen, begin, kill)
	if err != nil {
		return err
	}
	if kill {
		for i := range lost {
			lost[i].Ended = true
			if err := a.endSession(ctx, lost[i].running); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.printJSON(revoked{append([]grant.Grant{}, chosen...), lost})
	}
	for _, g := range chosen {
		printf(a.out, "%s  Revoked: %s.\n", g.ID, gives(g, grantName(g)))
	}
	if len(chosen) == 0 {
		printf(a.err, "There was nothing to revoke.\n")
	}
	for _, l := range lost {
		printf(a.out, "%s  %s.\n", l.Session, l.words())
	}
	return nil
}

// revoked is what was taken back, for programs.
type revoked struct {
	Grants []grant.Grant `json:"grants"`
	Lost   []loss        `json:"lost"` // by sessions that run
}

// toRevoke chooses, and refuses all if one of the ids is wrong.
func (a *app) toRevoke(stored []grant.Grant, pack string, ids []string) (chosen []grant.Grant, err error) {
	if len(ids) == 0 {
		if pack != "" {
			if pack, err = packID(pack); err != nil {
				return nil, err
			}
		}
		for _, g := range stored {
			if a.standing(g) && a.sees(g.Principal) && (pack == "" || g.Pack == pack) {
				chosen = append(chosen, g)
			}
		}
		return chosen, nil
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		i := slices.IndexFunc(stored, func(g grant.Grant) bool { return g.ID == id && (a.org == "" || a.sees(g.Principal)) })
		switch {
		case i < 0:
			return nil, fmt.Errorf("there is no grant %q; `ambit grants ls` lists them", id)
		case !stored[i].Revoked.IsZero():
			return nil, fmt.Errorf("the grant %s was revoked before, %s", id, stored[i].Revoked.Local().Format(minute))
		}
		chosen = append(chosen, stored[i])
	}
	return chosen, nil
}

// takeBack records and then revokes.
func (a *app) takeBack(ctx context.Context, grants []grant.Grant) error {
	return a.change(ctx, grants, true, func(s *store.Store, g grant.Grant) error {
		if _, err := s.RevokeGrant(ctx, g.ID, a.now()); err != nil && !errors.Is(err, store.ErrRevoked) {
			return err
		}
		return nil
	})
}

func grantName(g grant.Grant) string {
	if g.Pack == "" {
		return "every command that is run without a pack"
	}
	return "the pack " + g.Pack
}

func count(ways ...bool) (n int) {
	for _, w := range ways {
		if w {
			n++
		}
	}
	return n
}
