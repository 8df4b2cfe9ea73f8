package main

import (
	"context"
	"slices"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// narrow finds what stays of the grants that are taken back: what the pack still asks
// for, and had by nothing but them.
//
// Security: what stays is covered by what it comes from and lasts no longer, so nothing
// is allowed that was not. What was denied since is not among it: it was shown as
// denied.
func (in *installation) narrow(standing []grant.Grant) {
	for _, wide := range in.dropped {
		for _, w := range in.manifest.Wants {
			same := func(o manifest.Want) bool { return o.Capability == w.Capability }
			if !wide.Capability.Covers(w.Capability) || slices.ContainsFunc(in.denied, same) {
				continue
			}
			stays := func(g grant.Grant) bool {
				_, declared := in.manifest.Declares(g.Capability)
				return declared && g.Capability.Covers(w.Capability) && (g.Lifespan.Span == grant.Always || g.Lifespan == wide.Lifespan)
			}
			if slices.ContainsFunc(standing, stays) || slices.ContainsFunc(in.narrowed, stays) {
				continue
			}
			g := wide
			g.ID, g.Digest, g.Capability, g.Created = audit.NewID("g"), in.to.digest, w.Capability, in.app.now().UTC()
			in.narrowed = append(in.narrowed, g)
		}
	}
}

// mayGrant refuses to grant what managed policy forbids, and keeps nothing of wider
// grants that it forbids.
func (in *installation) mayGrant(ctx context.Context, wanted []grant.Grant) (err error) {
	if err := in.app.mayGrant(ctx, wanted, in.draft.Signer); err != nil || len(in.narrowed) == 0 {
		return err
	}
	in.narrowed, err = in.app.permitted(ctx, in.narrowed, in.draft.Signer, func(g grant.Grant, why *decision.Reason) error {
		printf(in.app.err, "%s is not kept: %s\n", g.Capability.Display(), why.Text)
		return nil
	})
	return err
}

// stays are the capabilities that the pack keeps of wider ones, each once.
func (in *installation) stays() []capability.Capability {
	all := []capability.Capability{}
	for _, g := range in.narrowed {
		if !slices.Contains(all, g.Capability) {
			all = append(all, g.Capability)
		}
	}
	return all
}
