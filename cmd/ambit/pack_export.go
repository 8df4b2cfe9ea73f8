package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/wire"
)

func (a *app) packExport() *cobra.Command {
	var oci bool
	cmd := &cobra.Command{
		Use:   "export [--oci] FOLDER|ID FILE",
		Short: "Write a pack as an archive",
		Long: `Write a pack as an archive (tar, gzip), with its signature. The same pack gives the
same bytes, whoever writes it and when. --oci writes an OCI layout, in an archive, as
other programs take it to registries.`,
		Example: `  ambit pack export ./words words-1.2.tar.gz
  ambit pack export org.example.words words.tar.gz
  ambit pack export --oci org.example.words words.oci.tar`,
		Args:              exactly(2, "a pack and a file"),
		ValidArgsFunction: a.completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.exportPack(cmd.Context(), args[0], args[1], oci)
		},
	}
	cmd.Flags().BoolVar(&oci, "oci", false, "write an OCI layout")
	return cmd
}

// exportPack writes a whole archive or none.
func (a *app) exportPack(ctx context.Context, name, file string, oci bool) (err error) {
	dir, p, err := a.packAt(name)
	if err != nil {
		return fmt.Errorf("export %s: %w", shellWord(name), err)
	}
	shelf, err := a.shelf()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err = f.Close(); err == nil {
		err = shelf.Spool(func(spool string) error {
			_, err := a.carry(ctx, wire.Task{Export: &wire.Export{Folder: dir, File: absolute(file), OCI: oci, Spool: spool}})
			return err
		})
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

func (a *app) packPush() *cobra.Command {
	return &cobra.Command{
		Use:   "push FOLDER|ID oci://REFERENCE",
		Short: "Upload a pack to a registry",
		Long: `Upload a pack, with its signature, to an OCI registry, as an artifact of the type
application/vnd.ambit.pack.v1. The reference has a tag: oci://REGISTRY/NAME:TAG. What
was uploaded is printed with its digest. Credentials are those in Docker's
config.json; what a credential helper keeps is not used.`,
		Example: `  ambit pack push ./words oci://registry.example.org/words:1.2
  ambit pack push --json org.example.words oci://localhost:5000/words:latest`,
		Args:              exactly(2, "a pack, and oci:// with a registry's reference"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.pushPack(cmd.Context(), args[0], args[1]) },
	}
}

func (a *app) pushPack(ctx context.Context, name, to string) error {
	ref, ok := strings.CutPrefix(to, registryPrefix)
	if !ok {
		return fmt.Errorf("%s is no reference to a registry: want oci://REGISTRY/NAME:TAG", shellWord(to))
	}
	dir, p, err := a.packAt(name)
	if err != nil {
		return fmt.Errorf("push %s: %w", shellWord(name), err)
	}
	shelf, err := a.shelf()
	if err != nil {
		return err
	}
	var done wire.Done
	if err := shelf.Spool(func(spool string) (err error) {
		done, err = a.carry(ctx, wire.Task{Push: &wire.Push{Folder: dir, Ref: ref, Spool: spool}})
		return err
	}); err != nil {
		return err
	}
	exact := registryPrefix + capability.Printable(done.Ref)
	if a.json {
		return a.printJSON(struct {
			packIdentity
			Reference string `json:"reference"`
		}{packIdentity{p.Manifest.ID, p.Manifest.Version, p.Digest, p.Signer}, exact})
	}
	printf(a.out, "%s, %s, is %s.\n", packName(p.Manifest), signedBy(p.Signer), exact)
	return nil
}

// packAt reads a pack that is named by its id, if it is installed, or by its
// folder, and says where that is.
func (a *app) packAt(name string) (dir string, p pack.Pack, err error) {
	packs, err := a.packs()
	if err != nil {
		return "", p, err
	}
	dir = absolute(name)
	if o, ok, err := packs.Owner(name); err != nil {
		return "", p, err
	} else if ok && o.Digest != "" {
		dir = o.Folder
	}
	p, err = pack.Read(dir)
	return dir, p, err
}
