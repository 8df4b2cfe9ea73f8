package main

import (
	"fmt"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/pack"
)

// olderError says that a pack is a version before one that was installed, or that
// nothing says it is not.
type olderError struct {
	ID      string `json:"id"`
	Version string `json:"version"` // that it has
	Taken   string `json:"taken"`   // that was installed last
	ordered bool
}

func (e *olderError) Error() string {
	v, t := capability.Printable(auditOr(e.Version, "without a version")), capability.Printable(auditOr(e.Taken, "none"))
	if !e.ordered {
		return fmt.Sprintf("%s: nothing says whether %s is older than %s, which was installed last; --allow-older installs it", e.ID, v, t)
	}
	return fmt.Sprintf("%s: %s is older than %s, which was installed last, and may have faults that were mended since; --allow-older installs it", e.ID, v, t)
}

// mayTake refuses a pack whose id is another's, and one that is older than what was
// installed.
//
// Security: an update has what was granted to the version before. Whoever signed that
// has to have signed this, or have handed the key on to who did. A signature holds for ever: whoever has the way to the host
// could bring back a version whose faults are known, so one that is not known to be as
// new is refused, also after the pack was removed.
func (in *installation) mayTake(f trustFlags) error {
	id, b, d := in.draft.Manifest.ID, in.before, in.draft
	switch {
	case f.signer != "" && d.Signer != f.signer:
		return fmt.Errorf("%s is %s, and not by the key that --signer names", id, signedBy(d.Signer))
	case in.known && b.Digest == "" && b.Folder != in.source:
		return fmt.Errorf("the id %s belongs to the pack in %q, with what was granted to it; to install this one, first give that up: ambit pack rm %s", id, b.Folder, id)
	case b.Signer == "" || d.Signer == b.Signer || f.signer != "":
	case d.Handed(b.Signer, in.app.now()):
		in.handed = true
	default:
		return fmt.Errorf("%s is %s, and what is installed is %s: this is no update of it. If the signer has a new key, it hands on to it with ambit pack sign --hand-on, or you name it with --signer", id, signedBy(d.Signer), signedBy(b.Signer))
	}
	packs, err := in.app.packs()
	if err != nil {
		return err
	}
	taken, err := packs.Taken(id, d.Signer)
	if err != nil {
		return err
	}
	for _, t := range taken {
		if err := in.mayFollow(t); err != nil && !f.older {
			return err
		}
	}
	return nil
}

// mayFollow compares a pack with what was installed.
func (in *installation) mayFollow(t pack.Taken) error {
	if t.Digest == in.draft.Digest {
		return nil
	}
	v := in.draft.Manifest.Version
	order, ok := pack.CompareVersions(v, t.Version)
	if order < 0 || !ok {
		return &olderError{ID: t.ID, Version: v, Taken: t.Version, ordered: ok}
	}
	in.same = in.same || order == 0
	return nil
}

// tellTaken tells of a key that takes over by a statement of the one before, and of a version
// that has become another one.
func (in *installation) tellTaken() {
	if in.same {
		printf(in.app.err, "%s has other content than what was installed as that version.\n", packName(in.draft.Manifest))
	}
	if in.handed {
		printf(in.app.err, "What is installed is %s. That key has said that this pack is signed by another one from now on: it is %s.\n", signedBy(in.before.Signer), signedBy(in.draft.Signer))
	}
}
