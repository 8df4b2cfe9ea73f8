package enforce_test

import (
	"errors"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// A tier that does not carry something out refuses the launch and names it.
func TestNotCarried(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*enforce.Input, *enforce.Facts)
		want   string // part of what is cannot be enforced; "" for another error
	}{
		"asking":         {func(in *enforce.Input, _ *enforce.Facts) { in.Ask, in.Notify = true, true }, "asking by notification"},
		"watching files": {func(in *enforce.Input, _ *enforce.Facts) { in.WatchOpens = true }, "reporting files"},
		"a socket": {func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective = caps(t, "fs.read:/run/s")
			in.Objects["fs.read:/run/s"] = []enforce.Object{{Path: "/run/s", Dev: 1, Ino: 4, Socket: true}}
		}, "connecting to /run/s"},
		"a limit of pids":  {func(in *enforce.Input, _ *enforce.Facts) { in.Limits.PIDs = 5 }, "a limit of pids"},
		"a limit of bytes": {func(in *enforce.Input, _ *enforce.Facts) { in.Limits.Memory = 1 << 20 }, ""},
		"single programs": {func(in *enforce.Input, _ *enforce.Facts) {
			in.AdHoc, in.Effective = false, caps(t, "process.spawn:/usr/bin/git")
			in.Objects["process.spawn:/usr/bin/git"] = []enforce.Object{file("/usr/bin/git")}
		}, "process.spawn of single programs"},
		"no namespaces for root": {func(_ *enforce.Input, f *enforce.Facts) { f.UID, f.UserNamespace = 0, false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in, f := host(), facts()
			in.Tier = enforce.TierGVisor
			c.change(&in, &f)
			_, err := enforce.Compile(in, f)
			cannot, named := errors.AsType[*enforce.CannotEnforce](err)
			if err == nil || named != (c.want != "") || named && !strings.Contains(cannot.Capability, c.want) {
				t.Errorf("got %v, want a refusal of %q", err, c.want)
			}
		})
	}
}

// What asks in a tier that holds no calls hides behind a trap what is read, and leaves
// refused what it would have to hold calls for.
func TestAsksForReading(t *testing.T) {
	in, f := host(), facts()
	in.Tier, in.Ask, in.AskSpawn, in.AskListen, in.AskStored = enforce.TierGVisor, true, true, true, caps(t, "storage.read:key")
	in.Link = &enforce.LinkPlan{Late: true}
	if _, err := enforce.Compile(in, f); err == nil || strings.Contains(err.Error(), "notification") {
		t.Errorf("without a device: %v", err)
	}
	f.FUSE = true
	p, err := enforce.Compile(in, f)
	if err != nil || !p.Trapped() || p.Asks() || p.Filter != (enforce.Filter{}) || p.Stored != nil || p.Link.Late {
		t.Errorf("got %+v %+v %+v: %v", p.Filter, p.Stored, p.Link, err)
	}
	for tier, want := range map[string]bool{enforce.TierProcess: true, enforce.TierGVisor: false, enforce.TierMicroVM: false} {
		if got := enforce.AsksAll(tier); got != want {
			t.Errorf("%s: got %v, want %v", tier, got, want)
		}
	}
}

// A tier with a kernel of its own promises nothing of the host's Landlock, and
// needs none; one that nobody knows has no plan.
func TestOwnKernel(t *testing.T) {
	in, f := host(), facts()
	in.Tier, f.LandlockABI = enforce.TierGVisor, 0
	p, err := enforce.Compile(in, f)
	if err != nil || p.Tier != enforce.TierGVisor || p.Landlock.ABI != 0 || p.Filter != (enforce.Filter{}) {
		t.Errorf("got %v %+v %+v: %v", p.Tier, p.Landlock, p.Filter, err)
	}
	in.AdHoc = false
	if p, err = enforce.Compile(in, f); err != nil || p.Filter != (enforce.Filter{NoSpawn: true}) {
		t.Errorf("a pack: got %+v: %v", p.Filter, err)
	}
	in.Tier = "another"
	if _, err := enforce.Compile(in, f); err == nil {
		t.Error("a tier that is not known has a plan")
	}
}
