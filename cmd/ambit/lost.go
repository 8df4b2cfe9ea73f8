package main

import (
	"context"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// lost is what was taken away a moment ago. A touch that was decided just before
// may still be showing it, so it is taken away once more.
type lost struct {
	c       capability.Capability
	objects []enforce.Object
	left    int // looks
}

// lostLooks is for how many looks that is done: what is decided is shown within
// milliseconds.
const lostLooks = 4

// loseAgain hides what was lost of late, unless it was granted anew.
func (r *rechecker) loseAgain(ctx context.Context) {
	if len(r.lost) == 0 {
		return
	}
	grants, err := r.grants(ctx)
	if err != nil {
		return // it is looked at again
	}
	var again []string
	var by capability.Capability
	for i := range r.lost {
		l := &r.lost[i]
		l.left--
		if r.s.still(l.c, l.objects, grants).Outcome == decision.Allow {
			continue
		}
		for _, o := range l.objects {
			again, by = append(again, o.Path), l.c
		}
	}
	if len(again) > 0 {
		if _, err := r.inside.Hide(again...); err != nil {
			r.mustEnd(by, err)
		}
	}
	r.lost = slices.DeleteFunc(r.lost, func(l lost) bool { return l.left <= 0 })
}
