package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/storage"
)

func (a *app) storageRemove() *cobra.Command {
	f, forget, all := &storedFlags{}, false, false
	cmd := &cobra.Command{
		Use:   "rm [flags] KEY…",
		Short: "Remove stored values",
		Long: `Remove stored values. Their versions stay, so that ambit storage restore brings them
back; with --forget they are gone. With --all everything that the pack, or runs
without one, have stored is forgotten.`,
		Example: "  ambit storage rm count\n  ambit storage rm --forget count\n  ambit storage rm --all --pack org.example.notes",
		RunE: func(cmd *cobra.Command, keys []string) error {
			if all == (len(keys) > 0) {
				return fmt.Errorf("%s needs keys, or --all; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			s, err := a.space(*f)
			if err != nil {
				return err
			}
			if all {
				return a.forgetAll(cmd.Context(), s)
			}
			return a.removeStored(cmd.Context(), s, keys, forget)
		},
	}
	f.add(a, cmd)
	cmd.Flags().BoolVar(&forget, "forget", false, "with all their versions: nothing brings them back")
	cmd.Flags().BoolVar(&all, "all", false, "forget everything that is stored there")
	return cmd
}

func (a *app) forgetAll(ctx context.Context, s *storage.Space) error {
	if err := a.recordForget(ctx, s.Owner(), ""); err != nil {
		return err
	}
	if err := s.Remove(); err != nil {
		return err
	}
	if a.json {
		return a.printJSON([]string{})
	}
	printf(a.out, "What was stored %s is forgotten.\n", ofPack(s.Owner().Pack))
	return nil
}

func (a *app) removeStored(ctx context.Context, s *storage.Space, keys []string, forget bool) error {
	for _, key := range keys { // all are there, or nothing is removed
		v, err := s.Get(key)
		if err == nil {
			if _, ok := v.Current(); !ok && !forget {
				err = fs.ErrNotExist
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("nothing is stored under %s %s", shellWord(key), ofPack(s.Owner().Pack))
		}
		if err != nil {
			return err
		}
	}
	for _, key := range keys {
		var err error
		if forget {
			if err = a.recordForget(ctx, s.Owner(), key); err == nil {
				err = s.Forget(key)
			}
		} else {
			_, err = s.Delete(key, a.byPerson(ctx, s.Owner()))
		}
		if err != nil {
			return err
		}
		if !a.json {
			printf(a.out, "%s is removed.\n", shellWord(key))
		}
	}
	if a.json {
		return a.printJSON(keys)
	}
	return nil
}

func (a *app) storageRestore() *cobra.Command {
	f := &storedFlags{}
	cmd := &cobra.Command{
		Use:   "restore [flags] KEY VERSION",
		Short: "Make an old version of a stored value the current one",
		Long: `Commit what a version had once more, as a version of its own. What was current
stays among the versions.`,
		Example: "  ambit storage restore count 3\n  ambit storage restore --pack org.example.notes drafts/today 12",
		Args:    exactly(2, "a key and a version; `ambit storage show` lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || number < 1 {
				return fmt.Errorf("%s is no version; `ambit storage show` lists them", shellWord(args[1]))
			}
			_, s, err := a.storedValue(*f, args[0])
			if err != nil {
				return err
			}
			v, changed, err := s.Restore(args[0], number, a.byPerson(cmd.Context(), s.Owner()))
			if err != nil {
				return err
			}
			switch {
			case a.json:
				return a.printJSON(v)
			case !changed:
				printf(a.out, "%s has that content already.\n", shellWord(args[0]))
			default:
				printf(a.out, "%s has the content of version %d again, as version %d.\n", shellWord(args[0]), number, v.Number)
			}
			return nil
		},
	}
	f.add(a, cmd)
	return cmd
}

func (a *app) storageAdopt() *cobra.Command {
	return &cobra.Command{
		Use:   "adopt ID",
		Short: "Give what a removed pack has stored to the pack that has its id now",
		Long: `When a pack is removed, what it has stored is kept for nobody: another pack that gets
the id begins with nothing. This gives it to the pack with that id, which must have
stored nothing yet.`,
		Example:           "  ambit storage adopt org.example.notes\n  ambit storage adopt --json org.example.notes",
		Args:              exactly(1, "the id of a pack; `ambit storage ls` lists them"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.adoptStored(cmd.Context(), args[0]) },
	}
}

// adoptStored gives an id what was left under it last.
func (a *app) adoptStored(ctx context.Context, id string) error {
	dir, err := a.storageDir()
	if err != nil {
		return err
	}
	owners, err := storage.All(dir)
	if err != nil {
		return err
	}
	var left storage.Owner
	for _, o := range owners {
		if o.Principal == a.principal() && o.Pack == id && o.Left.After(left.Left) {
			left = o
		}
	}
	if left.Left.IsZero() {
		return fmt.Errorf("no removed pack %s has left anything; `ambit storage ls` lists what is stored", shellWord(id))
	}
	to := storage.Owner{Principal: left.Principal, Pack: id}
	packs, err := a.packs()
	if err != nil {
		return err
	}
	o, known, err := packs.Owner(id)
	if err == nil && !known {
		err = fmt.Errorf("there is no pack %s to give it to; install it, or run it where it lies, first", shellWord(id))
	}
	if err != nil {
		return err
	}
	if now, err := storage.Find(dir, to); err == nil {
		all, err := now.List()
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return fmt.Errorf("%s has stored something already: remove that first (`ambit storage rm --all --pack %s`)", id, id)
		}
		if err := now.Remove(); err != nil {
			return err
		}
	}
	rec, err := packRecord(o, false)
	if err == nil {
		err = a.recordOne(ctx, rec)
	}
	if err != nil {
		return err
	}
	s, err := storage.Find(dir, left)
	if err == nil {
		err = s.Give(to)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(to)
	}
	printf(a.out, "%s has what was stored under its id.\n", id)
	return nil
}

// leaveStored keeps what a pack that is removed has stored for nobody, or forgets it.
//
// Security: a pack that gets the id later, from whoever, finds nothing of it.
func (a *app) leaveStored(ctx context.Context, id string, forget bool) error {
	dir, err := a.storageDir()
	if err != nil {
		return err
	}
	owners, err := storage.All(dir)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if o.Pack != id || !a.sees(o.Principal) || !o.Left.IsZero() && !forget {
			continue
		}
		s, err := storage.Find(dir, o)
		if err != nil {
			return err
		}
		if !forget {
			left := o
			left.Left = a.now().UTC()
			err = s.Give(left)
		} else if err = a.recordForget(ctx, o, ""); err == nil {
			err = s.Remove()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
