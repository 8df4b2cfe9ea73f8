package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/store"
)

func (a *app) packList() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the packs that are installed, and those that were run where they lie",
		Example: `  ambit pack ls
  ambit pack ls --json`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			packs, err := a.packs()
			if err != nil {
				return err
			}
			all, err := packs.All()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(append([]pack.Owner{}, all...))
			}
			if len(all) == 0 {
				printf(a.err, "There are no packs. `ambit pack install` installs one.\n")
				return nil
			}
			var rows [][]string
			for _, o := range all {
				when := "runs where it lies"
				if !o.Installed.IsZero() {
					when = "installed " + o.Installed.Local().Format(minute)
				}
				rows = append(rows, []string{o.ID, o.Version, when, o.Folder, o.Signer})
			}
			return table(a.out, []string{"ID", "VERSION", "STATE", "FOLDER", "SIGNER"}, rows)
		},
	}
}

func (a *app) packUpdate() *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:   "update [flags] ID",
		Short: "Install what the source of a pack has now",
		Long: `Install a pack once more from where it was installed from: a folder, an archive, or
the tag of a registry. What it asks for beyond what was allowed is asked about, as
with ambit pack install.`,
		Example:           "  ambit pack update org.example.words\n  ambit pack update --lazy org.example.words",
		Args:              exactly(1, "the id of a pack that is installed; `ambit pack ls` lists them"),
		ValidArgsFunction: a.completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := a.packSource(args[0])
			if err != nil {
				return err
			}
			return a.installPack(cmd.Context(), f, source)
		},
	}
	f.add(cmd)
	return cmd
}

// packSource is what an installed pack came from: of a registry the tag, if it was
// a tag.
func (a *app) packSource(id string) (string, error) {
	packs, err := a.packs()
	if err != nil {
		return "", err
	}
	o, ok, err := packs.Owner(id)
	if err != nil {
		return "", err
	}
	if !ok || o.Digest == "" {
		return "", fmt.Errorf("there is no pack %s that is installed; `ambit pack ls` lists them", shellWord(id))
	}
	if o.Source == uploaded {
		return "", fmt.Errorf("%s was uploaded, and has no source to look at: upload or install what it is to become", id)
	}
	ref, _, exact := strings.Cut(o.Source, "@sha256:")
	if remote, ok := strings.CutPrefix(ref, registryPrefix); ok && exact {
		if strings.Contains(remote[strings.LastIndexByte(remote, '/')+1:], ":") {
			return ref, nil
		}
	}
	return o.Source, nil
}

func (a *app) packRemove() *cobra.Command {
	stored := false
	cmd := &cobra.Command{
		Use:   "rm [flags] ID",
		Short: "Remove a pack, and take back what was granted to it",
		Long: `Take back everything that was granted to a pack, give its id up, and, if it is
installed, remove its files. A pack that was run where it lies keeps its folder.
What it has stored is kept for nobody, until ambit storage adopt gives it to a pack
with that id; with --storage it is forgotten.`,
		Example:           "  ambit pack rm org.example.words\n  ambit pack rm --storage org.example.words\n  ambit pack rm --json org.example.words",
		Args:              exactly(1, "the id of a pack; `ambit pack ls` lists them"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.removePack(cmd.Context(), args[0], stored) },
	}
	cmd.Flags().BoolVar(&stored, "storage", false, "forget what it has stored, too")
	return cmd
}

func (a *app) removePack(ctx context.Context, id string, forget bool) error {
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	granted, err := a.toRevoke(stored, id, nil)
	if err != nil {
		return err
	}
	var o pack.Owner
	if err := a.changePack(id, func(before pack.Owner, known bool) (pack.Owner, error) {
		if !known {
			return before, fmt.Errorf("there is no pack %s; `ambit pack ls` lists them", shellWord(id))
		}
		o = before
		rec, err := packRecord(before, true)
		if err == nil {
			err = a.recordOne(ctx, rec)
		}
		if err == nil { // while the id is still this pack's
			err = a.takeBack(ctx, granted)
		}
		if err == nil {
			err = a.leaveStored(ctx, id, forget)
		}
		return pack.Owner{}, err
	}); err != nil {
		return err
	}
	if err := a.sweep(ctx); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Pack    pack.Owner    `json:"pack"`
			Revoked []grant.Grant `json:"revoked"`
		}{o, append([]grant.Grant{}, granted...)})
	}
	printf(a.out, "%s is removed, and %d grants with it.\n", o.ID, len(granted))
	return nil
}

// sweep removes what lies on the shelf and belongs to no pack any more, unless a
// session runs, which may use it; the next change sweeps again.
func (a *app) sweep(ctx context.Context) error {
	dir, err := a.shelfDir()
	if err != nil {
		return err
	}
	offers, err := a.offers()
	if err != nil {
		return err
	}
	if err := offers.Prune(a.now()); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	packs, err := a.packs()
	if err != nil {
		return err
	}
	owners, err := packs.All()
	if err != nil {
		return err
	}
	if busy, err := a.packsRun(ctx); busy || err != nil {
		return err
	}
	for _, e := range entries {
		at := filepath.Join(dir, e.Name())
		if pack.Unused(e, at, owners, a.now()) {
			if err := os.RemoveAll(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// packsRun reports whether a pack runs.
func (a *app) packsRun(ctx context.Context) (bool, error) {
	sessions, err := a.sessions(ctx)
	return slices.ContainsFunc(sessions, func(s store.Session) bool { return s.Pack != "" && s.Status == store.Running }), err
}

func (a *app) packVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FOLDER|ID",
		Short: "Check that a pack is what was installed, and who signed it",
		Long: `Read all of a pack anew. An installed one has to be what was installed; a
signature has to hold. The exit status is 125 if one does not.`,
		Example: `  ambit pack verify org.example.words
  ambit pack verify ./words`,
		Args:              exactly(1, "the folder of a pack, or the id of one that is installed"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(_ *cobra.Command, args []string) error { return a.verifyPack(args[0]) },
	}
}

func (a *app) verifyPack(name string) error {
	packs, err := a.packs()
	if err != nil {
		return err
	}
	o, installed, err := packs.Owner(name)
	if err != nil {
		return err
	}
	var p pack.Pack
	if installed && o.Digest != "" {
		var shelf pack.Shelf
		if shelf, err = a.shelf(); err == nil {
			p, err = shelf.Verify(o)
		}
	} else {
		p, err = pack.Read(name)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", shellWord(name), err)
	}
	if a.json {
		return a.printJSON(packIdentity{p.Manifest.ID, p.Manifest.Version, p.Digest, p.Signer})
	}
	printf(a.out, "%s is %s, %s.\n", packName(p.Manifest), p.Digest, signedBy(p.Signer))
	return nil
}

// packIdentity is what tells a pack from others, for programs.
type packIdentity struct {
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	Signer  string `json:"signer,omitempty"`
}

func (a *app) packAdopt() *cobra.Command {
	return &cobra.Command{
		Use:   "adopt FOLDER",
		Short: "Have a pack's id belong to this folder from now on",
		Long: `What was granted to an id belongs to the folder that ran first under it. When a
pack has moved, this gives its id, with what was granted to it, to the folder
where it is now.`,
		Example: "  ambit pack adopt ~/src/words\n  ambit pack adopt .",
		Args:    exactly(1, "the folder of a pack"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.adoptPack(cmd.Context(), args[0]) },
	}
}

func (a *app) adoptPack(ctx context.Context, folder string) error {
	m, dir, err := readPack(folder)
	if err != nil {
		return err
	}
	o := pack.Owner{ID: m.ID, Folder: dir}
	if err := a.changePack(m.ID, func(before pack.Owner, _ bool) (pack.Owner, error) {
		if before.Digest != "" {
			return before, fmt.Errorf("%s is installed; `ambit pack install %s` installs this one as an update, `ambit pack rm %s` removes the other", m.ID, shellWord(dir), m.ID)
		}
		rec, err := packRecord(o, false)
		if err == nil {
			err = a.recordOne(ctx, rec)
		}
		return o, err
	}); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(o)
	}
	printf(a.out, "%s is the pack in %s from now on.\n", m.ID, capability.Printable(dir))
	return nil
}
