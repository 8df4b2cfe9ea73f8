package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// trialIn is how long a machine with KVM may take to boot. Without it QEMU stays
// alive where KVM does not run stock kernels, and only looks slow.
const trialIn = 10 * time.Second

// Probe says whether machines of this driver are what they are called.
//
// Security: that /dev/kvm opens proves nothing. KVM is claimed only when a real
// machine booted with it here, in its jail, within its deadline.
func (d Driver) Probe(ctx context.Context) []machine.Claim {
	c := machine.Claim{Accel: d.With}
	switch d.With {
	case machine.TCG:
		c.Holds, c.Why = true, "an emulator: the claim is that of the jail around it"
	case machine.HVF, machine.WHPX:
		c.Why = "its arguments are written and were never tried"
	case machine.KVM:
		err := d.proveKVM(ctx, kvmHost{})
		c.Holds, c.Why = err == nil, "a machine booted with it"
		if err != nil {
			c.Why = err.Error()
		}
	}
	return []machine.Claim{c}
}

// kvmHost is where the steps of the proof look; tests lay it out.
type kvmHost struct{ root string }

// proveKVM takes the five steps. The first that fails is the reason.
func (d Driver) proveKVM(ctx context.Context, h kvmHost) error {
	if _, err := os.Stat(h.root + "/sys/module/kvm_pvm"); err == nil { // it tells more than the flags do
		return errors.New("KVM is provided by PVM here, which runs no stock guest kernel (/sys/module/kvm_pvm)")
	}
	if err := h.processor(); err != nil {
		return err
	}
	if err := h.device(); err != nil {
		return err
	}
	key, err := d.proofKey(ctx)
	if err != nil {
		return err
	}
	if kept, ok := readProof(d.Proof, key); ok {
		return kept
	}
	err = d.try(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // nothing was proved
	}
	return errors.Join(err, writeProof(d.Proof, key, err))
}

// processor looks for hardware virtualization.
func (h kvmHost) processor() error {
	if runtime.GOARCH != "amd64" {
		return nil
	}
	text, err := os.ReadFile(h.root + "/proc/cpuinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "flags" {
			continue
		}
		flags := strings.Fields(value)
		if slices.Contains(flags, "vmx") || slices.Contains(flags, "svm") {
			return nil
		}
		break
	}
	return errors.New("the processor offers no virtualization here (neither vmx nor svm in /proc/cpuinfo)")
}

// Requests of /dev/kvm (linux/kvm.h), and its version since 2007.
const (
	kvmGetAPIVersion = 0xae00
	kvmCreateVM      = 0xae01
	kvmCreateVCPU    = 0xae41
	kvmAPIVersion    = 12
)

// device makes a machine with a processor and nothing else.
func (h kvmHost) device() error {
	fd, err := unix.Open(h.root+"/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return errors.New("this user may not open /dev/kvm: a member of the group kvm may")
		}
		return fmt.Errorf("open /dev/kvm: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if v, err := unix.IoctlRetInt(fd, kvmGetAPIVersion); err != nil || v != kvmAPIVersion {
		return fmt.Errorf("/dev/kvm has version %d, want %d: %w", v, kvmAPIVersion, err)
	}
	vm, err := unix.IoctlRetInt(fd, kvmCreateVM)
	if err != nil {
		return fmt.Errorf("KVM makes no machine: %w", err)
	}
	defer unix.Close(vm) //nolint:errcheck // the same
	cpu, err := unix.IoctlRetInt(vm, kvmCreateVCPU)
	if err != nil {
		return fmt.Errorf("KVM makes no processor: %w", err)
	}
	return unix.Close(cpu)
}

// try boots a real machine.
func (d Driver) try(ctx context.Context) error {
	if d.Trial.Kernel == "" {
		return errors.New("it was not tried yet: there is no image, run `ambit image build`")
	}
	ctx, cancel := context.WithTimeout(ctx, trialIn)
	defer cancel()
	m, err := d.Start(ctx, d.Trial)
	if err != nil {
		return fmt.Errorf("KVM is there, and a machine does not start: %w", err)
	}
	defer m.Close(0) //nolint:errcheck // it is of no more use
	if err := d.Ready(m.Channel(), time.Now().Add(trialIn)); err != nil {
		return fmt.Errorf("KVM is there, and a machine did not boot within %v: %w", trialIn, err)
	}
	return nil
}

// proofKey is what the proof depends on: this boot of the host, and everything
// that the fingerprint covers.
func (d Driver) proofKey(ctx context.Context) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	mark, err := d.Fingerprint(ctx, d.Trial)
	return strings.TrimSpace(string(boot)) + " " + string(mark), err
}

// proof is what was found, as it is kept.
type proof struct {
	Key string `json:"key"`
	Why string `json:"why"` // it does not hold; "": it does
}

func readProof(path, key string) (error, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	var p proof
	if json.Unmarshal(text, &p) != nil || p.Key != key {
		return nil, false
	}
	if p.Why != "" {
		return errors.New(p.Why), true
	}
	return nil, true
}

func writeProof(path, key string, found error) error {
	p := proof{Key: key}
	if found != nil {
		p.Why = found.Error()
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
