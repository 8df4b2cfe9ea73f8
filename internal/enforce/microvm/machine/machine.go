// Package machine says what the microVM tier wants of whatever runs virtual
// machines: a driver probes, starts and clones, and a machine has one channel.
//
// It holds what every driver can serve, and what a machine ran on as a
// fingerprint. It starts nothing itself. Layer: beneath the drivers and the tier.
package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"time"
)

// Accel is what runs the guest's instructions.
type Accel string

// The accelerators. KVM, HVF and WHPX are hardware virtualization of Linux, macOS
// and Windows; TCG is QEMU's emulator.
const (
	KVM  Accel = "kvm"
	HVF  Accel = "hvf"
	WHPX Accel = "whpx"
	TCG  Accel = "tcg"
)

// Label is what a report calls a machine that runs with a.
//
// Security: only a proven accelerator has a label of its own. Emulation is no
// isolation by hardware, and says so.
func (a Accel) Label() string {
	switch a {
	case KVM:
		return "microvm-kvm"
	case TCG:
		return "microvm-emulated"
	case HVF, WHPX:
	}
	return "microvm-unproven"
}

// A Claim says whether this host can honestly give a label, or which check failed.
type Claim struct {
	Accel Accel
	Holds bool
	Why   string // it does not hold; or what was found
}

// Shape is what a machine is made from.
type Shape struct {
	Session              string // names the machine in records
	Kernel, Initrd, Root string // files of the host
	// Digest identifies these files together.
	Digest string
	Memory int // MiB
}

// A Driver runs machines. It is safe for concurrent use.
type Driver interface {
	// Accel is what its machines run with.
	Accel() Accel
	// Probe tries whether that is what it says to be.
	Probe(ctx context.Context) []Claim
	// Fingerprint identifies what a machine of this shape would be the same as.
	Fingerprint(ctx context.Context, s Shape) (Fingerprint, error)
	Start(ctx context.Context, s Shape) (Machine, error)
	// Save boots a machine whose Template can be made in a folder that is empty.
	Save(ctx context.Context, s Shape, dir string) (Machine, error)
	// Open finds a template in its folder.
	Open(dir string) (Template, error)
	// Clone starts a machine where a template was stopped. It refuses a template
	// that was made under another fingerprint.
	Clone(ctx context.Context, s Shape, t Template) (Machine, error)
}

// A Machine runs until it is closed or ends by itself. Its methods may be called
// by several goroutines.
type Machine interface {
	Channel() net.Conn // the one way in and out
	// Template stops a machine of Save for good and leaves what clones start from
	// in its folder.
	Template(ctx context.Context) (Template, error)
	Pause() error
	Resume() error
	PID() int               // of its first process, as the host sees it
	Layers() []Layer        // what confines it
	Console() []byte        // the end of what it wrote there
	Ended() <-chan struct{} // closed when it has ended
	// Close asks it to end, and ends it when that took longer than grace. It
	// returns when nothing of it is left.
	Close(grace time.Duration) error
}

// A Layer is one mechanism that confines the machine's process, read back.
type Layer struct {
	Name   string
	Holds  bool
	Detail string
}

// Template is a machine that was stopped when it was ready. Nothing of a user was
// ever in it.
type Template struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Memory      int         `json:"memory"` // MiB
	Dir         string      `json:"-"`
}

// Fingerprint is a digest over all that a machine's state depends on: program,
// arguments, kernel, image, processor and kernel of the host.
type Fingerprint string

// Fingerprinted makes a fingerprint of parts, in their order.
func Fingerprinted(parts ...string) Fingerprint {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	return Fingerprint(hex.EncodeToString(h.Sum(nil)))
}

// Short is enough of it for people.
func (f Fingerprint) Short() string { return string(f[:min(16, len(f))]) }
