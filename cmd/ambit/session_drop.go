package main

import "github.com/spf13/cobra"

func (a *app) sessionDrop() *cobra.Command {
	f := &reviewFlags{}
	cmd := &cobra.Command{
		Use:               "drop SESSION",
		Short:             "Forget what a session changed",
		Example:           "  ambit session drop s-7f3ak2mq5x\n  ambit session drop --json s-7f3ak2mq5x",
		Args:              exactly(1, "a session; `ambit ps --all` lists them"),
		ValidArgsFunction: a.completeChanged,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, sets, err := a.changeSets(args[0])
			if err == nil {
				sets, err = f.of(args[0], sets)
			}
			if err != nil {
				return err
			}
			if err := a.over(cmd.Context(), args[0]); err != nil {
				return err
			}
			for _, set := range sets {
				if err := set.Drop(); err != nil {
					return err
				}
			}
			if err := removeEmpty(dir); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(args)
			}
			printf(a.out, "What the session %s changed is dropped.\n", args[0])
			return nil
		},
	}
	f.addVolume(cmd)
	return cmd
}
