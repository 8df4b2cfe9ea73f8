package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/wire"
)

func (a *app) packKey() *cobra.Command {
	return &cobra.Command{
		Use:   "key NAME FILE",
		Short: "Make a key to sign packs with",
		Long: `Make an Ed25519 key for a signer, whose name may be a domain. The private key goes
into the file, which nobody else may read; the public one is printed: give it to
those who are to install what you sign.`,
		Example: "  ambit pack key example.org ~/.config/ambit-signer\n  ambit pack key example.org ~/.config/ambit-signer > example.org.pub",
		Args:    exactly(2, "the name of a signer, and a file for the key"),
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := pack.NewKey(args[0], args[1])
			if err != nil {
				return fmt.Errorf("make a key: %w", err)
			}
			if a.json {
				return a.printJSON(struct {
					Key string `json:"key"`
				}{public})
			}
			printf(a.out, "%s\n", public)
			return nil
		},
	}
}

func (a *app) packSign() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "sign --key FILE FOLDER",
		Short: "Sign a pack",
		Long: `Sign everything that is in a pack's folder (but for .git), with its id and version.
The signature goes into the folder, as ambit.sig. Whoever has installed the pack
updates it only by what the same key signed.`,
		Example: "  ambit pack sign --key ~/.config/ambit-signer ./words\n  ambit pack sign --key ~/.config/ambit-signer --json .",
		Args:    exactly(1, "the folder of a pack"),
		RunE: func(_ *cobra.Command, args []string) error {
			if key == "" {
				return errors.New("a signature needs a key: --key FILE; `ambit pack key` makes one")
			}
			p, err := pack.Sign(args[0], key)
			if err != nil {
				return fmt.Errorf("sign %s: %w", shellWord(args[0]), err)
			}
			if a.json {
				return a.printJSON(packIdentity{p.Manifest.ID, p.Manifest.Version, p.Digest, p.Signer})
			}
			printf(a.out, "%s, %s, is %s.\n", packName(p.Manifest), p.Digest, signedBy(p.Signer))
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the private key is in this `FILE`")
	return cmd
}

func (a *app) packExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export FOLDER|ID FILE",
		Short: "Write a pack as an archive",
		Long: `Write a pack as an archive (tar, gzip), with its signature. The same pack gives the
same bytes, whoever writes it and when.`,
		Example:           "  ambit pack export ./words words-1.2.tar.gz\n  ambit pack export org.example.words words.tar.gz",
		Args:              exactly(2, "a pack and a file"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.exportPack(cmd.Context(), args[0], args[1]) },
	}
}

// exportPack writes a whole archive or none.
func (a *app) exportPack(ctx context.Context, name, file string) (err error) {
	dir, err := a.packFolder(name)
	if err != nil {
		return err
	}
	p, err := pack.Read(dir)
	if err != nil {
		return fmt.Errorf("export %s: %w", shellWord(name), err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err = f.Close(); err == nil {
		_, err = a.carry(ctx, wire.Task{Export: &wire.Export{Folder: absolute(dir), File: absolute(file)}})
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", shellWord(name), err), os.Remove(file))
	}
	if a.json {
		return a.printJSON(packIdentity{p.Manifest.ID, p.Manifest.Version, p.Digest, p.Signer})
	}
	printf(a.out, "%s is %s, %s, %s.\n", capability.Printable(file), packName(p.Manifest), p.Digest, signedBy(p.Signer))
	return nil
}

// packFolder is where a pack lies that is named by its id, if it is installed, or
// by its folder.
func (a *app) packFolder(name string) (string, error) {
	packs, err := a.packs()
	if err != nil {
		return "", err
	}
	if o, ok, err := packs.Owner(name); err != nil || ok && o.Digest != "" {
		return o.Folder, err
	}
	return name, nil
}
