// Package microvm is the tier that runs a program in a virtual machine of its own:
// with a kernel that is not the host's, behind an emulated or virtualized
// processor, whose machine process is confined itself.
//
// A session starts from a clone of a template: a machine that booted this kernel
// and this image and was stopped before anything of a user was in it. The clone is
// told apart from all others (entropy, clock, name) before anything else happens.
// Then it gets copies of what the plan grants; what a writable grant becomes is
// brought back by this side, which checks every name.
// Where the plan asks, the guest asks about names that its view has not, and gets a copy of
// what was answered.
//
// What it cannot carry out is an error that names it. Layer: a tier; it knows
// plans and no capabilities.
package microvm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// DefaultMemory is how much memory a machine has where no limit asks for more, in
// MiB; largestMemory is the most that it can have.
const (
	DefaultMemory = 512
	largestMemory = 16384
)

// Deadlines. A busy host emulates slowly, so they are long; nothing waits for ever.
const (
	bootIn   = 3 * time.Minute // a cold boot
	answerIn = 2 * time.Minute // one request
	closeIn  = 3 * time.Second // QEMU's own end, before it is killed
)

// Tier runs plans in machines.
type Tier struct {
	Driver machine.Driver
	Image  image.Image
	// Asker answers first touches; needed for plans that ask.
	Asker enforce.Asker
	// Networker takes the other end of the link; needed for plans with one.
	Networker enforce.Networker
	// Say is told what takes long; nil: nobody listens.
	Say func(string)
}

// Name is what a plan for this tier promises.
func (t Tier) Name() string {
	if t.Driver.Accel() == machine.TCG {
		return enforce.TierEmulated
	}
	return enforce.TierMicroVM
}

// Start clones a machine, makes it this session's, and leaves the program waiting.
//
// Security: a plan that promises virtualization is not run on an emulator, nor the
// other way around. On an error nothing is left.
func (t Tier) Start(ctx context.Context, p enforce.Plan, io enforce.Stdio) (enforce.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Tier != t.Name() {
		return nil, fmt.Errorf("the plan promises %q, and here is %s", p.Tier, t.Name())
	}
	if p.Link != nil && t.Networker == nil {
		return nil, errors.New("internal error: a plan with a link and nobody at its other end")
	}
	if err := refuse(p); err != nil {
		return nil, err
	}
	shown, err := layOut(p, t.Image)
	if err != nil {
		return nil, err
	}
	defer shown.close()
	s, err := newSession(p, io)
	if err != nil {
		return nil, err
	}
	if s.asking, err = newAsking(ctx, s, t.Asker, func(path string) bool { return provided(t.Image, path) }); err == nil {
		err = t.build(ctx, s, shown)
	}
	if err != nil {
		s.abandon()
		return nil, fmt.Errorf("build the machine: %w", err)
	}
	return s, nil
}

// build makes the machine what the plan says.
func (t Tier) build(ctx context.Context, s *session, shown *layout) error {
	shape := t.shape(s.plan)
	tpl, err := t.template(ctx, shape)
	if err != nil {
		return err
	}
	if s.machine, err = t.Driver.Clone(ctx, shape, tpl); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	boot, err := s.identify()
	if err != nil {
		return fmt.Errorf("tell the machine from others: %w", err)
	}
	if err := s.fill(shown); err != nil {
		return err
	}
	if _, err := s.channel.Ask(channel.Request{Op: channel.OpPrepare, Prepare: s.prepare(shown)}, soon(answerIn)); err != nil {
		return err
	}
	if err := s.connect(0, s.stdio, &s.pumps); err != nil {
		return err
	}
	if err := s.attach(t.Networker); err != nil {
		return err
	}
	s.report = t.report(s, tpl, shown, boot)
	if broken := s.report.Broken(); broken != nil {
		return fmt.Errorf("a promised layer does not hold: %v", broken)
	}
	return nil
}

func soon(d time.Duration) time.Time { return time.Now().Add(d) }

// shape is the machine that a plan needs. Templates are made for a few sizes of
// memory.
func (t Tier) shape(p enforce.Plan) machine.Shape {
	memory := DefaultMemory
	for need := p.Limits.Memory>>20 + 64; int64(memory) < need && memory < largestMemory; {
		memory *= 2
	}
	return t.Shape(p.Session, memory)
}

// Shape is the machine of this tier's image.
func (t Tier) Shape(session string, memory int) machine.Shape {
	return machine.Shape{Session: session, Kernel: t.Image.Kernel(), Initrd: t.Image.Initrd(), Root: t.Image.Root(), Digest: t.Image.ID, Memory: memory}
}

// refuse names what this tier does not carry out.
func refuse(p enforce.Plan) error {
	cannot := func(what, why string) error { return &enforce.CannotEnforce{Capability: what, Why: why} }
	switch {
	case p.Asks():
		return cannot("asking about what is changed or started", "nothing in a machine has such calls wait")
	case p.Filter.NoSpawn || p.Filter.LimitExec || p.Landlock.LimitExecute:
		return cannot("a limit of what may be started (a pack without process.spawn)", "a machine of this version lets a program start others; grant process.spawn")
	case len(p.Landlock.Connect) > 0:
		return cannot("the host's socket "+p.Landlock.Connect[0], "sockets do not reach into a machine")
	case p.Limits.Memory>>20 > largestMemory-64:
		return cannot("a limit of memory this high", fmt.Sprintf("a machine has at most %d MiB", largestMemory))
	}
	return nil
}

// report says what stands between the program and the host.
func (t Tier) report(s *session, tpl machine.Template, shown *layout, boot string) enforce.Report {
	r := enforce.Report{Tier: t.Driver.Accel().Label()}
	layer := func(name, detail string) {
		r.Layers = append(r.Layers, enforce.Layer{Name: name, Promised: true, Holds: true, Detail: detail})
	}
	what := "its processor is virtualized by " + string(t.Driver.Accel())
	if t.Driver.Accel() == machine.TCG {
		what = "its processor is emulated, which is no isolation by hardware: what holds is the jail around QEMU"
	}
	layer("machine", fmt.Sprintf("Linux %s, image %s; %s", t.Image.Release, t.Image.ID, what))
	for _, l := range s.machine.Layers() {
		r.Layers = append(r.Layers, enforce.Layer{Name: "QEMU: " + l.Name, Promised: true, Holds: l.Holds, Detail: l.Detail})
	}
	layer("identity", "seed, clock and names of its own; boot id "+boot)
	s.print = machine.Fingerprinted(r.Tier, string(tpl.Fingerprint), s.plan.Digest(), fmt.Sprintf("%x", s.nonce))
	layer("fingerprint", "template "+tpl.Fingerprint.Short()+", session "+s.print.Short())
	layer("view", fmt.Sprintf("the image's programs, and %d copies of what was granted", len(shown.trees)))
	if s.asking != nil {
		layer("asking", "a file system of the guest knows the names of the view; what it has not is looked up and asked about here, and copied into the machine after the answer")
	}
	if s.skipped > 0 {
		r.Layers = append(r.Layers, enforce.Layer{Name: "files", Holds: true, Detail: fmt.Sprintf("%d sockets, pipes, devices or names that are not UTF-8 do not cross", s.skipped)})
	}
	if s.plan.Link != nil {
		layer("network", "one interface, whose packets go over the channel to the process that decides; QEMU has no network")
	}
	layer("limits", "memory and processes are bound by the guest's kernel, and all of it by the machine's memory")
	return r
}

// newNonce is what tells one session's greeting from another's.
func newNonce() (n [channel.NonceSize]byte) {
	_, _ = rand.Read(n[:]) // it never fails
	return n
}

// say tells what takes long.
func (t Tier) say(what string) {
	if t.Say != nil {
		t.Say(what)
	}
}

// provided reports whether the image has what the host has at a path.
func provided(img image.Image, path string) bool {
	return slices.ContainsFunc(img.Provides, func(dir string) bool { return beneath(path, dir) })
}

// errLost says that the machine ended before its program did.
var errLost = errors.New("the machine ended before its program did")
