package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/vault/wire"
)

func (a *app) secretCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "secret",
		Short: "Keep secrets that programs use and never see",
		Long: `Keep tokens and passwords in a vault. Each is bound to one destination and one
place in a request. A program that was granted its use has a placeholder in the
environment; Ambit puts the value in its place on the way to that destination, and
nowhere else.`,
		Example: `  ambit secret set github-token --for api.github.com < token.txt
  ambit run --allow secret.use:github-token@api.github.com \
            --allow net.connect:api.github.com:443 -- \
            sh -c 'curl -H "Authorization: Bearer $GITHUB_TOKEN" https://api.github.com/user'
  ambit secret ls`,
	})
	cmd.AddCommand(a.secretSet(), a.secretList(), a.secretRemove())
	return cmd
}

func (a *app) secretList() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the secrets, without their values",
		Example: "  ambit secret ls\n  ambit secret ls --json",
		Args:    nothing,
		RunE: func(*cobra.Command, []string) error {
			safe := &safe{app: a}
			defer safe.close()
			v, err := safe.open()
			if err != nil {
				return err
			}
			entries, err := v.List()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(append([]wire.Entry{}, entries...))
			}
			if len(entries) == 0 {
				printf(a.out, "There are no secrets. `ambit secret set` puts one into the vault.\n")
				return nil
			}
			var rows [][]string
			for _, e := range entries {
				rows = append(rows, []string{e.Name, e.Binding.Target().String(), e.Binding.Words(), e.Binding.Env,
					e.Changed.In(a.now().Location()).Format("2006-01-02 15:04")})
			}
			return table(a.out, []string{"NAME", "FOR", "PLACE", "VARIABLE", "CHANGED"}, rows)
		},
	}
}

func (a *app) secretRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME…",
		Short: "Take secrets out of the vault",
		Long: `Take secrets out of the vault. Programs that run already cannot use them from
the next request on.`,
		Example:           "  ambit secret rm github-token\n  ambit secret rm github-token stripe",
		Args:              secretNames,
		ValidArgsFunction: a.completeSecrets,
		RunE: func(cmd *cobra.Command, names []string) error {
			before, after := &safe{app: a}, &safe{app: a, write: true}
			defer before.close()
			defer after.close()
			for _, name := range names { // all are there, or nothing is removed
				if _, _, err := before.value(name); err != nil {
					return err
				}
			}
			v, err := after.open()
			if err != nil {
				return err
			}
			removed := []wire.Entry{}
			for _, name := range names {
				e, err := v.Entry(name)
				if err == nil {
					err = a.recordSecret(cmd.Context(), e, true)
				}
				if err == nil {
					err = v.Remove(name)
				}
				if err != nil {
					return err
				}
				removed = append(removed, e)
				if !a.json {
					printf(a.out, "%s is no longer in the vault.\n", name)
				}
			}
			if a.json {
				return a.printJSON(removed)
			}
			return nil
		},
	}
}

// secretNames are one or more names.
//
// Security: what is no name is not repeated: it may be a value.
func secretNames(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs the name of a secret; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
	}
	for _, arg := range args {
		if err := binding.Name(arg); err != nil {
			return err
		}
	}
	return nil
}

// completeSecrets offers the names that there are.
func (a *app) completeSecrets(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	safe := &safe{app: a}
	defer safe.close()
	if v, err := safe.open(); err == nil {
		entries, _ := v.List() // a vault that cannot be read offers nothing
		for _, e := range entries {
			names = append(names, e.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// recordSecret records that a secret is about to be put into the vault, or taken
// out, and what it is bound to.
//
// Security: the record is durable before the change; its body has no room for a
// value.
func (a *app) recordSecret(ctx context.Context, e wire.Entry, removed bool) error {
	b := audit.SecretBody{Name: e.Name, Target: e.Binding.Target().String(), Place: audit.Text(e.Binding.Words()), Removed: removed}
	r, err := audit.New(b)
	if err != nil {
		return err
	}
	r.ID, r.Principal = audit.NewID("v"), operator()
	return a.recordOne(ctx, r)
}
