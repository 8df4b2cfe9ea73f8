package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/pack"
)

// installFlags are the flags of ambit pack install.
type installFlags struct {
	yes, broad, lazy bool
	trust            trustFlags
	prepared         preparedFlags
}

func (a *app) packInstall() *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:   "install [flags] FOLDER|ARCHIVE|oci://REFERENCE | --prepared ID",
		Short: "Install a pack, or another version of it, with what it may do",
		Long: `Copy a pack to where no sandbox can change it, and say exactly what it asks for.
It comes from a folder, an archive (tar, tar.gz), an OCI layout (a folder or an
archive of one) or a registry: oci://REGISTRY/NAME:TAG or @sha256:DIGEST, with the
credentials in Docker's config.json. What you allow is granted; the rest
can be asked about when the pack first touches it (ambit run --ask), or granted
later.

A version that asks for no more than was allowed is installed without a question.
One that asks for more shows that, and asks for that alone. What a version does
not ask for any more is taken back, but for the part of it that it still asks for. A
pack that was signed is updated only by what
the same key signed, and every pack by no version that is older than the one
installed last, also after ambit pack rm; --allow-older does.

For programs that ask a person themselves there are two steps: ambit pack prepare
says what a pack asks for, and --prepared installs exactly that, once, with what
--allow and --deny name of it.`,
		Example: `  ambit pack install words-1.2.tar.gz
  ambit pack install oci://registry.example.org/words:1.2
  ambit pack install --lazy ./words          allow nothing yet
  ambit pack install --yes ./words           allow what it asks for, but for what is broad
  ambit pack install --signer "$(cat example.org.pub)" words-1.2.tar.gz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.prepared.id != "" {
				return nothing(cmd, args)
			}
			return exactly(1, "the folder or the archive of a pack, or oci:// and a registry's reference")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.prepared.id != "" {
				return a.installPrepared(cmd.Context(), f)
			}
			return a.installPack(cmd.Context(), f, args[0])
		},
	}
	f.add(cmd)
	f.prepared.add(cmd)
	return cmd
}

func (f *installFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.yes, "yes", false, "allow what it asks for without a question, but for what is broad")
	fl.BoolVar(&f.broad, "broad", false, "with --yes, also what is broad, such as a whole home")
	fl.BoolVar(&f.lazy, "lazy", false, "allow nothing now")
	f.trust.add(cmd)
}

// trustFlags say what is taken that would be refused otherwise.
type trustFlags struct {
	signer string
	older  bool
}

func (f *trustFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.signer, "signer", "", "only what this `KEY` signed, and let it take over from another key")
	fl.BoolVar(&f.older, "allow-older", false, "also a version that is older than the one installed last")
}

// an installation is a pack that is being installed.
type installation struct {
	app      *app
	base     capability.Base
	draft    *pack.Draft
	source   string
	before   pack.Owner // what the id belongs to
	known    bool
	folder   string            // where it will lie
	manifest manifest.Manifest // resolved there
	to       grantee
	wants    []manifest.Want // neither granted nor denied yet
	same     bool            // its version is the one installed last, and its content is not
	handed   bool            // another key signed it, to which the one before has handed on
	denied   []manifest.Want // denied until further notice
	dropped  []grant.Grant   // what it does not ask for any more
	narrowed []grant.Grant   // what stays of that, in its place
}

func (a *app) installPack(ctx context.Context, f *installFlags, source string) error {
	if count(f.yes, f.lazy) > 1 || f.broad && !f.yes {
		return errors.New("--yes allows what the pack asks for, --lazy nothing; --broad goes with --yes")
	}
	in, err := a.draft(ctx, source)
	if err != nil {
		return err
	}
	defer in.draft.Close() //nolint:errcheck // a folder that stays is swept later
	if err := in.mayTake(f.trust); err != nil {
		return err
	}
	in.tellTaken()
	if err := in.compare(ctx); err != nil {
		return err
	}
	allowed, err := in.consent(ctx, f)
	if err != nil {
		return err
	}
	wanted, err := a.makeGrants(&addFlags{}, in.to, allowed)
	if err != nil {
		return err
	}
	if err := in.mayGrant(ctx, wanted); err != nil {
		return fmt.Errorf("%w; --lazy installs it and allows nothing of it yet", err)
	}
	if err := in.commit(ctx, allowed, nil); err != nil {
		return err
	}
	return in.tell(allowed, nil)
}

// draft reads the pack and finds out whom its id belongs to.
func (a *app) draft(ctx context.Context, source string) (in *installation, err error) {
	parcel, err := a.parcel(source)
	if err != nil {
		return nil, err
	}
	draft, err := parcel.shelf.Draft(func(dir string) error { return parcel.fill(ctx, dir) })
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", shellWord(source), err)
	}
	if in, err = a.installation(draft, parcel.from); err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	return in, nil
}

// installation finds out whom the id of a draft belongs to, and what it asks for
// where it will lie.
func (a *app) installation(draft *pack.Draft, source string) (in *installation, err error) {
	shelf, err := a.shelf()
	if err != nil {
		return nil, err
	}
	packs, err := a.packs()
	if err != nil {
		return nil, err
	}
	in = &installation{app: a, draft: draft, source: source, folder: shelf.Folder(draft.Digest)}
	if in.before, in.known, err = packs.Owner(draft.Manifest.ID); err != nil {
		return nil, err
	}
	if in.base, err = base(); err != nil {
		return nil, err
	}
	in.base.Dir = in.folder
	if in.manifest, err = resolveManifest(draft.Manifest, in.base); err != nil {
		return nil, err
	}
	in.to = grantee{manifest: in.manifest, dir: in.folder, digest: draft.Manifest.Digest()}
	return in, nil
}

// compare finds what the pack wants and nobody has answered, what of it was denied,
// and what was granted and it does not want any more.
func (in *installation) compare(ctx context.Context) error {
	stored, err := in.app.storedGrants(ctx)
	if err != nil {
		return err
	}
	var standing, denials []grant.Grant
	for _, g := range stored {
		if g.Pack != in.manifest.ID || g.Principal != in.app.principal() || !in.app.standing(g) {
			continue
		}
		switch {
		case g.Outcome != grant.Allow && g.Lifespan.Session == "":
			denials = append(denials, g)
		case g.Outcome == grant.Allow:
			standing = append(standing, g)
			if _, declared := in.manifest.Declares(g.Capability); !declared {
				in.dropped = append(in.dropped, g)
			}
		}
	}
	for _, w := range in.manifest.Wants {
		covers := func(g grant.Grant) bool { return g.Capability.Covers(w.Capability) }
		switch {
		case slices.ContainsFunc(denials, covers):
			in.denied = append(in.denied, w)
		case !slices.ContainsFunc(standing, covers):
			in.wants = append(in.wants, w)
		}
	}
	in.narrow(standing)
	return nil
}

// commit puts the pack into its place, gives it its id, and keeps what was allowed
// and what was denied. Each of these is recorded before; what is cut off in between has
// granted nothing that is not recorded, and the same command completes it.
func (in *installation) commit(ctx context.Context, allowed, denied []capability.Capability) error {
	d := in.draft
	o := pack.Owner{ID: d.Manifest.ID, Digest: d.Digest, Version: d.Manifest.Version, Signer: d.Signer, Source: in.source, Installed: in.app.now().UTC()}
	if err := in.app.changePack(o.ID, func(before pack.Owner, known bool) (pack.Owner, error) {
		if known != in.known || before != in.before {
			return before, fmt.Errorf("%s was changed meanwhile; install it again", o.ID)
		}
		var err error
		if o.Folder, err = d.Keep(); err != nil {
			return before, fmt.Errorf("install %s: %w", o.ID, err)
		}
		rec, err := packRecord(o, false)
		if err == nil {
			err = in.app.recordOne(ctx, rec)
		}
		return o, err
	}); err != nil {
		return err
	}
	made, err := in.app.makeGrants(&addFlags{}, in.to, allowed)
	if err != nil {
		return err
	}
	closed, err := in.denials(denied)
	if err != nil {
		return err
	}
	made = append(made, closed...)
	for i := range made {
		made[i].Origin = "ambit pack install"
	}
	for i := range in.narrowed {
		in.narrowed[i].Origin = "ambit pack install"
	}
	// First what stays: whoever is cut off here has what they had, and begins again.
	if err := in.app.keep(ctx, in.narrowed); err != nil {
		return err
	}
	if err := in.app.takeBack(ctx, in.dropped); err != nil {
		return err
	}
	if err := in.app.keep(ctx, made); err != nil {
		return err
	}
	return in.app.sweep(ctx)
}

// installed is what was done, for programs.
type installed struct {
	ID      string                  `json:"id"`
	Version string                  `json:"version,omitempty"`
	Digest  string                  `json:"digest"`
	Signer  string                  `json:"signer,omitempty"`
	Folder  string                  `json:"folder"`
	Granted []capability.Capability `json:"granted"`
	Denied  []capability.Capability `json:"denied"`
	Left    []capability.Capability `json:"not_granted"`
	Revoked []capability.Capability `json:"revoked"`
}

func (in *installation) tell(allowed, denied []capability.Capability) error {
	d := in.draft
	r := installed{ID: d.Manifest.ID, Version: d.Manifest.Version, Digest: d.Digest, Signer: d.Signer, Folder: in.folder,
		Granted: append(in.stays(), allowed...), Denied: append([]capability.Capability{}, denied...), Left: []capability.Capability{}, Revoked: []capability.Capability{}}
	for _, w := range in.wants {
		if !slices.Contains(allowed, w.Capability) && !slices.Contains(denied, w.Capability) {
			r.Left = append(r.Left, w.Capability)
		}
	}
	for _, g := range in.dropped {
		r.Revoked = append(r.Revoked, g.Capability)
	}
	if in.app.json {
		return in.app.printJSON(r)
	}
	printf(in.app.out, "%s is installed; run it with: ambit run --pack %s\n", packName(d.Manifest), shellWord(r.ID))
	for _, c := range r.Revoked {
		printf(in.app.out, "It does not ask any more to %s: that was taken back.\n", c.Describe())
	}
	for _, c := range in.stays() {
		printf(in.app.out, "Of that it may still %s.\n", c.Describe())
	}
	if len(r.Left) > 0 {
		printf(in.app.out, "%d of what it asks for was not allowed. `ambit run --ask tty` asks at the first use, `ambit grants add --pack %s` allows it now.\n", len(r.Left), shellWord(r.ID))
	}
	return nil
}
