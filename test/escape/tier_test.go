package escape_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The attacks are made against the tier that AMBIT_TEST_TIER names: process (the
// default), gvisor or microvm-emulated. What counts is the same everywhere, the
// host: its files, what of them could be read, its processes, who reached its
// services. A refusal may have another errno under another kernel, and may take the
// time that such a kernel takes. All else that differs is in the table of
// differences; what is not in it must hold.

// The tiers, by the names that `ambit run --tier` takes.
const (
	tierProcess = "process"
	tierGVisor  = "gvisor"
	tierMachine = "microvm-emulated"
)

// tierUnderTest is the one that the whole suite is run against.
func tierUnderTest() string {
	if name := os.Getenv("AMBIT_TEST_TIER"); name != "" {
		return name
	}
	return tierProcess
}

// checkTier refuses a name that is no tier's: all would be skipped, or pass.
func checkTier() error {
	if name := tierUnderTest(); !slices.Contains([]string{tierProcess, tierGVisor, tierMachine}, name) {
		return fmt.Errorf("AMBIT_TEST_TIER: there is no tier %q", name)
	}
	return nil
}

// strong reports whether the field's programs run under a kernel of their own.
func (f *field) strong() bool { return f.tier != tierProcess }

// patient is how long a refusal, and how long anything, may take in a tier.
func (f *field) patient(d time.Duration) time.Duration {
	switch f.tier {
	case tierMachine:
		return 6 * d
	case tierGVisor:
		return 3 * d
	}
	return d
}

// entered makes a field one of a tier.
func (f *field) entered(t testing.TB, tier string) {
	t.Helper()
	f.tier = tier
	if tier != tierMachine {
		return
	}
	images, err := machineImages()
	if err != nil {
		t.Skip("requires:", err)
	}
	state := filepath.Join(f.Dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(images, filepath.Join(state, "images")); err != nil {
		t.Fatal(err)
	}
}

// tierFlags choose the tier on the command line.
func (f *field) tierFlags() []string {
	if !f.strong() {
		return nil
	}
	return []string{"--tier", f.tier}
}

// machineImages is a folder with an image for machines, made once for all fields,
// of the kernel that AMBIT_TEST_KERNEL names.
var machineImages = sync.OnceValues(func() (string, error) {
	kernel, err := filepath.Abs("../../.tools/kernels/stock")
	if named := os.Getenv("AMBIT_TEST_KERNEL"); named != "" {
		kernel, err = named, nil
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(kernel); err != nil {
		return "", fmt.Errorf("a kernel: scripts/guest.sh prepare fetches it (%w)", err)
	}
	p, err := programs()
	if err != nil {
		return "", err
	}
	state := filepath.Join(scratch, "machines")
	cmd := exec.Command(p.ambit, "image", "build", "--kernel", kernel, "--with", "python3,git,procps")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AMBIT_STATE_DIR=" + state}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("an image: %w: %s", err, out)
	}
	return filepath.Join(state, "images"), nil
})

// machines bounds how many machines an emulator runs at once: on two processors
// more of them make each other miss what it waits for.
var machines = make(chan struct{}, 2)

// aMachine waits until one more may run, and answers what gives its place back.
func (f *field) aMachine() (done func()) {
	if f.tier != tierMachine {
		return func() {}
	}
	machines <- struct{}{}
	return func() { <-machines }
}

// quick are the attacks that `make test` makes against gVisor too, beside those
// against the process tier: one or two of each family. `make test-tiers` makes all
// of them, against each tier.
var quick = []string{
	"TestF01Symlink", "TestF04DotDot", "TestF18Truncate", "TestF20PageCache", "TestF24MoveHidden", "TestF25ReplaceReadOnly",
	"TestP07NestedSandboxes", "TestP38OtherTerminals", "TestP45AbstractSockets",
	"TestN01DirectConnect", "TestN11NamesToInnerAddresses",
	"TestG02Neighbours",
}

// gvisorToo reports whether a run of the process tier makes this test's tries
// against gVisor as well. In an emulated machine it does not: what such a kernel
// costs would be emulated too, and it answers there as it does here.
func gvisorToo(t *testing.T) bool {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	return tierUnderTest() == tierProcess && os.Getenv("AMBIT_GUEST") == "" && slices.Contains(quick, name)
}
