package enforce_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// TestStored: the folder is there where something of it is granted, or can be asked
// about, and nowhere else; what cannot serve it is said.
func TestStored(t *testing.T) {
	t.Parallel()
	has := func(p enforce.Plan) bool {
		return slices.ContainsFunc(p.View, func(e enforce.Entry) bool { return e.Op == enforce.OpStored && e.Path == enforce.StoredDir })
	}
	f := facts()
	f.FUSE = true
	in := host()
	if p, err := enforce.Compile(in, f); err != nil || has(p) || p.Stored != nil {
		t.Errorf("without a grant: %v, %+v", err, p.Stored)
	}
	in.Effective = caps(t, "storage.write:a/b", "storage.read:a")
	p, err := enforce.Compile(in, f)
	if err != nil || !has(p) || !slices.Equal(p.Stored.Read, []string{"a"}) || !slices.Equal(p.Stored.Write, []string{"a/b"}) {
		t.Errorf("with a grant: %v, %+v", err, p.Stored)
	}
	in.Effective, in.Ask, in.AskStored = nil, true, caps(t, "storage.read:k")
	if p, err := enforce.Compile(in, f); err != nil || !has(p) || !p.Trapped() {
		t.Errorf("where it can be asked about: %v", err)
	}
	in = host()
	in.Effective = caps(t, "storage.read:k")
	if _, err := enforce.Compile(in, facts()); err == nil || !strings.Contains(err.Error(), "/dev/fuse") {
		t.Errorf("without a device: %v", err)
	}
	for _, tier := range []string{enforce.TierGVisor, enforce.TierEmulated} {
		in := host()
		in.Tier, in.Effective = tier, []capability.Capability{caps(t, "storage.read:k")[0]}
		var cannot *enforce.CannotEnforce
		if _, err := enforce.Compile(in, f); !errors.As(err, &cannot) || !strings.Contains(err.Error(), "storage.read:k") {
			t.Errorf("%s: %v", tier, err)
		}
	}
}
