package enforce_test

import (
	"slices"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestLandlockLacks: what a version lacks is named in the plan, and nothing
// where it has all.
func TestLandlockLacks(t *testing.T) {
	for abi, want := range map[int][]string{
		2: {"truncating by path", "ioctl on devices", "signals and abstract sockets"},
		3: {"ioctl on devices", "signals and abstract sockets"},
		4: {"ioctl on devices", "signals and abstract sockets"},
		5: {"signals and abstract sockets"},
		6: nil,
		9: nil,
	} {
		f := facts()
		f.LandlockABI = abi
		p, err := enforce.Compile(host(), f)
		if err != nil {
			t.Fatal(err)
		}
		if p.Filter.NoGroupSignal != (abi < 6) {
			t.Errorf("version %d: the filter refuses signals to the own group: %v", abi, p.Filter.NoGroupSignal)
		}
		if !slices.Equal(p.Landlock.Weaker, want) {
			t.Errorf("version %d: %q, want %q", abi, p.Landlock.Weaker, want)
		}
	}
}
