package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/pack"
)

func (a *app) packShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show FOLDER|ID",
		Short: "Show a pack, and what of its capabilities its sessions have used",
		Long: `Show who a pack is, where it came from, what it asks for and has, and what of that
its sessions have used so far, as the audit log tells. Of files a use is that
something was opened; of programs that it starts nobody can tell.`,
		Example:           "  ambit pack show org.example.words\n  ambit pack show --json . | jq .uses",
		Args:              exactly(1, "the folder of a pack, or the id of one that is installed"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showPack(cmd.Context(), args[0]) },
	}
}

// packUses is a pack with what was used of what it asks for.
type packUses struct {
	packReport
	Owner    pack.Owner `json:"owner"`
	Sessions int        `json:"past_sessions"`
	Uses     []packUse  `json:"uses"` // in the order of the capabilities
}

type packUse struct {
	Capability capability.Capability `json:"capability"`
	useReport
}

// examineUses reads a pack and what its sessions did.
func (a *app) examineUses(ctx context.Context, name string) (packUses, error) {
	r, err := a.examine(ctx, name)
	p := packUses{packReport: r, Uses: []packUse{}}
	if err != nil {
		return p, err
	}
	var wants []capability.Capability
	for _, w := range r.Capabilities {
		wants = append(wants, w.Capability)
	}
	packs, err := a.packs()
	if err != nil {
		return p, err
	}
	if p.Owner, _, err = packs.Owner(r.ID); err != nil {
		return p, err
	}
	u, err := a.usesOf(r.ID, wants)
	if err != nil {
		return p, err
	}
	p.Sessions = u.sessions
	for i, c := range wants {
		p.Uses = append(p.Uses, packUse{c, u.uses[i]})
	}
	return p, nil
}

func (a *app) showPack(ctx context.Context, name string) error {
	p, err := a.examineUses(ctx, name)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(p)
	}
	if err := a.printPack(p.packReport); err != nil {
		return err
	}
	if o := p.Owner; o.Digest != "" {
		printf(a.out, "\nIt was installed %s from %s, %s.\n", o.Installed.Local().Format(minute), capability.Printable(o.Source), signedBy(o.Signer))
	}
	printf(a.out, "\nUsed in %s\n", counted(p.Sessions, "past session"))
	for _, u := range p.Uses {
		printf(a.out, "  %s: %s\n", capability.Printable(u.Capability.Display()), u.words())
	}
	return nil
}

func (u useReport) words() string {
	switch {
	case u.Sessions == 0:
		return "nobody can tell"
	case u.Used == 0:
		return "never, in " + counted(u.Sessions, "session")
	}
	return fmt.Sprintf("in %d of %s", u.Used, counted(u.Sessions, "session"))
}

// counted is a number of things, in words.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *app) packUnused() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "unused [-o FILE] FOLDER|ID",
		Short: "List what a pack asks for and its sessions never used",
		Long: `List the capabilities that sessions of a pack had and none of them used, as the audit
log tells. What nobody could watch is not listed: runs that ask, programs that are
started, other tiers. -o writes the pack's manifest without them, into a file that is
not there yet, or with - to the output. A part of a program that runs seldom looks
unused: see how many sessions there were.`,
		Example:           "  ambit pack unused org.example.words\n  ambit pack unused -o smaller.json ./words",
		Args:              exactly(1, "the folder of a pack, or the id of one that is installed"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.unusedOf(cmd.Context(), args[0], output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write a manifest without them to this `file`; - prints it")
	return cmd
}

func (a *app) unusedOf(ctx context.Context, name, output string) error {
	p, err := a.examineUses(ctx, name)
	if err != nil {
		return err
	}
	unused := []packUse{}
	for _, u := range p.Uses {
		if u.never() {
			unused = append(unused, u)
		}
	}
	if output != "" {
		if err := a.writeWithout(p, output); err != nil {
			return fmt.Errorf("write a manifest without what was never used: %w", err)
		}
	}
	switch {
	case output == "-":
		return nil
	case a.json:
		return a.printJSON(unused)
	case len(unused) == 0:
		printf(a.err, "Nothing that %s asks for is known to be unused, after %s.\n", p.ID, counted(p.Sessions, "session"))
	}
	for _, u := range unused {
		printf(a.out, "%s (%s)\n", capability.Printable(u.Capability.Display()), u.words())
	}
	return nil
}

// writeWithout writes a pack's manifest without what was never used. What is
// written asks for less, and everything else as before.
func (a *app) writeWithout(p packUses, output string) error {
	if p.Source != manifest.File {
		return fmt.Errorf("the pack has %s, which is somebody else's format; write an %s", p.Source, manifest.File)
	}
	text, err := os.ReadFile(filepath.Join(p.Folder, manifest.File))
	if err != nil {
		return err
	}
	if m, err := manifest.Parse(manifest.File, text); err != nil || m.Digest() != p.Digest {
		return errors.Join(err, errors.New("the manifest was changed meanwhile"))
	}
	text, err = manifest.Without(text, func(i int) bool { return p.Uses[i].never() })
	if err != nil {
		return err
	}
	if output == "-" {
		_, err := a.out.Write(text)
		return err
	}
	f, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
