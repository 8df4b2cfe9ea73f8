package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/pack"
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
	var key, to, until string
	cmd := &cobra.Command{
		Use:   "sign --key FILE FOLDER",
		Short: "Sign a pack",
		Long: `Sign everything that is in a pack's folder (but for .git), with its id and version.
The signature goes into the folder, as ambit.sig. Whoever has installed the pack
updates it only by what the same key signed, or one to which that key has handed on:
with --hand-on the pack is not signed, and the key says in it (in ambit.keys) that
another one signs this pack from now on. Sign it with that one then.`,
		Example: "  ambit pack sign --key ~/.config/ambit-signer ./words\n  ambit pack sign --key ~/.config/ambit-signer --json .\n  ambit pack sign --key ~/.config/ambit-signer --hand-on \"$(cat new.pub)\" ./words",
		Args:    exactly(1, "the folder of a pack"),
		RunE: func(_ *cobra.Command, args []string) error {
			if key == "" {
				return errors.New("a signature needs a key: --key FILE; `ambit pack key` makes one")
			}
			if to != "" {
				return a.handOn(args[0], key, to, until)
			}
			if until != "" {
				return errors.New("--until goes with --hand-on: a signature has no end")
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
	cmd.Flags().StringVar(&to, "hand-on", "", "do not sign: say that this `KEY` signs the pack from now on")
	cmd.Flags().StringVar(&until, "until", "", "with --hand-on: that counts for so long, or until then: `TIME`, as in 90d or 2027-12-01")
	return cmd
}

// handOn has a key say that another one signs a pack from now on.
func (a *app) handOn(dir, key, to, until string) error {
	var end time.Time
	if until != "" {
		var err error
		if end, err = a.until("--until", until); err != nil {
			return err
		}
	}
	if err := pack.HandOn(dir, key, to, end); err != nil {
		return fmt.Errorf("hand %s on: %w", shellWord(dir), err)
	}
	if a.json {
		return a.printJSON(struct {
			Key string `json:"key"`
		}{to})
	}
	printf(a.out, "%s says that the pack is %s from now on. It has no signature now: sign it with that key.\n", pack.HandoverFile, signedBy(to))
	return nil
}
