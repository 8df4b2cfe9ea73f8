package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/pack"
)

// offersFile, in the state directory, says what lies ready to be installed.
const offersFile = "offers.json"

// uploaded is the source of a pack that came as an archive from somewhere else. It is
// neither an absolute path nor a reference.
const uploaded = "uploaded"

func (a *app) offers() (pack.Offers, error) {
	dir, err := a.state()
	if err != nil {
		return pack.Offers{}, err
	}
	shelf, err := a.shelf()
	return pack.OffersIn(filepath.Join(dir, offersFile), shelf), err
}

// prepareFlags are the flags of ambit pack prepare.
type prepareFlags struct {
	trust            trustFlags
	caller           string
	update, uploaded bool
}

func (a *app) packPrepare() *cobra.Command {
	f := &prepareFlags{}
	cmd := &cobra.Command{
		Use:   "prepare [flags] FOLDER|ARCHIVE|oci://REFERENCE | --update ID",
		Short: "Get a pack ready to be installed, and say what it asks for",
		Long: `Copy a pack to where no sandbox can change it, check it, and say exactly what it asks
for, and what that is beside what is installed. Nothing is installed and nothing is
granted. What is printed has an id, which is good for one ambit pack install
--prepared, for a quarter of an hour: that installs what was shown, or fails.`,
		Example: `  ambit pack prepare --json words-1.2.tar.gz | jq .wants
  ambit pack prepare --update org.example.words
  ambit pack install --prepared ID --digest DIGEST --allow fs.read:/srv/words`,
		Args: exactly(1, "the folder or the archive of a pack, or oci:// and a registry's reference"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.preparePack(cmd.Context(), f, args[0]) },
	}
	fl := cmd.Flags()
	f.trust.add(cmd)
	fl.StringVar(&f.caller, "for", "", "for `WHO`: it is installed only with the same --for")
	fl.BoolVar(&f.update, "update", false, "what the source of an installed pack has now")
	fl.BoolVar(&f.uploaded, "uploaded", false, "do not remember where the archive lies: it was uploaded")
	return cmd
}

// readyPack is a pack that lies ready, for programs.
type readyPack struct {
	ID          string                  `json:"id,omitempty"` // "": there is nothing to install
	Until       string                  `json:"until,omitempty"`
	Quiet       bool                    `json:"quiet"` // it asks for no more than was allowed
	Unchanged   bool                    `json:"unchanged"`
	Pack        pack.Owner              `json:"pack"`
	Before      *pack.Owner             `json:"before,omitempty"`
	Name        string                  `json:"name,omitempty"`
	Kind        manifest.Kind           `json:"kind"`
	Description string                  `json:"description,omitempty"`
	Entry       []string                `json:"entry"`
	Signer      string                  `json:"signer_state"` // unsigned, first, same, handed-on or takes-over
	Wants       []readyWant             `json:"wants"`
	Dropped     []capability.Capability `json:"dropped"`
	Same        bool                    `json:"same_version,omitempty"` // as was installed last, with other content
	Older       *olderError             `json:"older,omitempty"`        // why nothing lies ready
}

// readyWant is one capability that a pack declares.
type readyWant struct {
	Capability capability.Capability `json:"capability"`
	Meaning    string                `json:"meaning"`
	Reason     string                `json:"reason,omitempty"`
	Optional   bool                  `json:"optional,omitempty"`
	Risk       string                `json:"risk"`
	Broad      bool                  `json:"broad,omitempty"`
	State      string                `json:"state"` // asked, allowed or denied
}

func (a *app) preparePack(ctx context.Context, f *prepareFlags, source string) error {
	id := source
	if f.update {
		var err error
		if source, err = a.packSource(id); err != nil {
			return err
		}
	}
	in, err := a.draft(ctx, source)
	if err != nil {
		return err
	}
	defer in.draft.Close() //nolint:errcheck // a folder that stays is swept later
	if f.uploaded {
		in.source = uploaded
	}
	if f.update && in.manifest.ID != id {
		return fmt.Errorf("the source of %s has another pack now, %s", id, packName(in.draft.Manifest))
	}
	if err := in.mayTake(f.trust); err != nil {
		if older, ok := errors.AsType[*olderError](err); ok && a.json {
			return errors.Join(a.printJSON(readyPack{Older: older}), err)
		}
		return err
	}
	if err := in.compare(ctx); err != nil {
		return err
	}
	r, err := in.offer(f)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	in.show()
	in.tellTaken()
	if r.Unchanged {
		printf(a.out, "%s is what is installed.\n", packName(in.draft.Manifest))
		return nil
	}
	printf(a.out, "ambit pack install --prepared %s --digest %s\n", r.ID, r.Pack.Digest)
	return nil
}

// offer keeps the draft for a later installation, unless there is nothing to install.
func (in *installation) offer(f *prepareFlags) (r readyPack, err error) {
	d := in.draft
	r = readyPack{Name: d.Manifest.Name, Kind: d.Manifest.Kind, Description: d.Manifest.Description, Entry: d.Manifest.Entry, Signer: in.signerState(),
		Pack:  pack.Owner{ID: d.Manifest.ID, Folder: in.folder, Digest: d.Digest, Version: d.Manifest.Version, Signer: d.Signer, Source: in.source},
		Wants: []readyWant{}, Dropped: []capability.Capability{}, Same: in.same}
	installed := in.known && in.before.Digest != ""
	if installed {
		r.Before = &in.before
	}
	for _, w := range graver(in.manifest.Wants) {
		r.Wants = append(r.Wants, readyWant{w.Capability, in.manifest.Describe(w), w.Reason, w.Optional, riskOf(w.Capability), broad(w.Capability), in.state(w)})
	}
	for _, g := range in.dropped {
		r.Dropped = append(r.Dropped, g.Capability)
	}
	r.Quiet = installed && len(in.wants) == 0 && !in.handed
	r.Unchanged = f.update && in.before.Digest == d.Digest && in.before.Signer == d.Signer
	if r.Unchanged {
		return r, nil
	}
	shown, err := in.shown()
	if err != nil {
		return r, err
	}
	if _, err := in.app.makeState(); err != nil {
		return r, err
	}
	offers, err := in.app.offers()
	if err != nil {
		return r, err
	}
	o, err := offers.Put(pack.Offer{For: f.caller, Pack: d.Manifest.ID, Digest: d.Digest, Signer: d.Signer, Named: f.trust.signer != "", Older: f.trust.older, Source: in.source, Shown: shown}, d, in.app.now())
	r.ID, r.Until = o.ID, o.Until.Format("2006-01-02T15:04:05Z07:00")
	return r, err
}

// signerState says who signed the pack, beside who signed what is installed.
func (in *installation) signerState() string {
	switch signer := in.draft.Signer; {
	case signer == "":
		return "unsigned"
	case in.before.Signer == "":
		return "first"
	case in.before.Signer == signer:
		return "same"
	case in.handed:
		return "handed-on"
	}
	return "takes-over"
}

// state says what was answered to a want before.
func (in *installation) state(w manifest.Want) string {
	same := func(o manifest.Want) bool { return o.Capability == w.Capability }
	switch {
	case slices.ContainsFunc(in.wants, same):
		return "asked"
	case slices.ContainsFunc(in.denied, same):
		return "denied"
	}
	return "allowed"
}

// shown is a digest of everything that a person is told before they consent: what is
// asked, of whom, and what was answered before.
func (in *installation) shown() (string, error) {
	var states []string
	for _, w := range in.manifest.Wants {
		states = append(states, w.Capability.String(), in.state(w))
	}
	for _, g := range in.dropped {
		states = append(states, g.ID)
	}
	text, err := json.Marshal(struct {
		Pack   string
		Source string
		Before pack.Owner
		States []string
	}{in.draft.Digest + " " + in.draft.Signer, in.source, in.before, states})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// preparedFlags are the flags of an installation of what was prepared.
type preparedFlags struct {
	id, digest, caller, typed string
	allow, deny               []string
}

func (f *preparedFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.id, "prepared", "", "install what ambit pack prepare has made ready as `ID`")
	fl.StringVar(&f.digest, "digest", "", "with --prepared: the `DIGEST` of what was shown")
	fl.StringVar(&f.caller, "for", "", "with --prepared: the `WHO` that it was prepared for")
	fl.StringVar(&f.typed, "typed", "", "with --prepared: the pack's `ID`, where something broad is allowed")
	fl.StringArrayVar(&f.allow, "allow", nil, "with --prepared: allow this `CAPABILITY`, spelled as it was shown")
	fl.StringArrayVar(&f.deny, "deny", nil, "with --prepared: deny this `CAPABILITY` until further notice")
}

// installPrepared installs what was prepared, with what was chosen of it.
//
// Security: a person has said yes to what they were shown. So the pack is read anew,
// what it asks for is compared anew, and unless all of that is what was shown nothing
// is installed. The offer is used up before anything is.
func (a *app) installPrepared(ctx context.Context, f *installFlags) error {
	p := f.prepared
	if f.yes || f.lazy || f.broad || f.trust != (trustFlags{}) {
		return errors.New("--prepared goes with --digest, --allow, --deny, --typed and --for alone")
	}
	offers, err := a.offers()
	if err != nil {
		return err
	}
	o, draft, err := offers.Find(p.id, p.caller, a.now())
	if err != nil {
		return err
	}
	in, err := a.installation(draft, o.Source)
	if err != nil {
		return err
	}
	if err := in.asShown(ctx, o, p.digest); err != nil {
		return err
	}
	allowed, denied, err := in.choose(p)
	if err != nil {
		return err
	}
	wanted, err := a.makeGrants(&addFlags{}, in.to, allowed)
	if err != nil {
		return err
	}
	if err := in.mayGrant(ctx, wanted); err != nil {
		return fmt.Errorf("%w; leave it out to install it without", err)
	}
	if err := offers.Take(p.id, p.caller, a.now()); err != nil {
		return err
	}
	defer draft.Close() //nolint:errcheck // a folder that stays is swept later
	if err := in.commit(ctx, allowed, denied); err != nil {
		return err
	}
	return in.tell(allowed, denied)
}

// asShown makes sure that what lies ready, and what it is beside what is installed, is
// what a person was shown.
func (in *installation) asShown(ctx context.Context, o pack.Offer, digest string) error {
	if digest != in.draft.Digest {
		return errors.New("--digest is not that of what was prepared: nothing was installed")
	}
	trust := trustFlags{older: o.Older}
	if o.Named {
		trust.signer = o.Signer
	}
	if err := in.mayTake(trust); err != nil {
		return err
	}
	if err := in.compare(ctx); err != nil {
		return err
	}
	shown, err := in.shown()
	if err == nil && shown != o.Shown {
		err = fmt.Errorf("what %s asks for beside what it has is not what was shown any more; have it prepared again", in.manifest.ID)
	}
	return err
}

// choose reads what was chosen of what is asked for. What is not named is left for
// later.
func (in *installation) choose(f preparedFlags) (allowed, denied []capability.Capability, err error) {
	seen := map[string]bool{}
	find := func(text string) (c capability.Capability, err error) {
		i := slices.IndexFunc(in.wants, func(w manifest.Want) bool { return w.Capability.String() == text })
		if i < 0 || seen[text] {
			return c, fmt.Errorf("%s is not asked for, or was chosen twice: nothing was installed", capability.Printable(text))
		}
		seen[text] = true
		return in.wants[i].Capability, nil
	}
	for _, text := range f.allow {
		c, err := find(text)
		if err != nil {
			return nil, nil, err
		}
		if broad(c) && f.typed != in.manifest.ID {
			return nil, nil, fmt.Errorf("%s is broad: to allow it takes the pack's id, typed; nothing was installed", capability.Printable(text))
		}
		allowed = append(allowed, c)
	}
	for _, text := range f.deny {
		c, err := find(text)
		if err != nil {
			return nil, nil, err
		}
		denied = append(denied, c)
	}
	return allowed, denied, nil
}

// denials are the grants by which something is denied: also by the names of the links
// that lead to it, as with ambit grants add --deny.
func (in *installation) denials(denied []capability.Capability) ([]grant.Grant, error) {
	var closed []capability.Capability
	for i, w := range in.manifest.Wants {
		if !slices.Contains(denied, w.Capability) {
			continue
		}
		all, err := closing(in.draft.Manifest.Wants[i].Capability, in.base)
		if err != nil {
			return nil, err
		}
		closed = append(closed, all...)
	}
	return in.app.makeGrants(&addFlags{deny: true}, in.to, closed)
}
