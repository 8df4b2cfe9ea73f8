//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// Tier is the process tier. The zero value is ready.
type Tier struct {
	// Asker answers first touches; needed for plans that ask.
	Asker enforce.Asker
	// Networker takes the other end of the link; needed for plans with one.
	Networker enforce.Networker
	// Storer keeps what outlives the session; needed for plans that have of it.
	Storer enforce.Storer

	begun *begun // namespaces that were made already, for one Start
}

// Begin makes the namespaces of one sandbox before its plan is known: they are
// the same for every plan of this host, and making them takes as long as
// deciding. Start goes on from there, or makes others if the plan does not fit.
// Whatever fails is left for Start to meet and to explain.
func Begin(outline enforce.Plan, io enforce.Stdio) Tier {
	bg, err := begin(outline, io, nil)
	if err != nil {
		return Tier{}
	}
	return Tier{begun: bg}
}

// Name is "process".
func (Tier) Name() string { return "process" }

// Begun reports whether Begin has made namespaces, and no Start has used them.
func (t Tier) Begun() bool { return t.begun != nil && !t.begun.used.Load() }

// Discard ends what Begin made, if no Start has used it.
func (t Tier) Discard() {
	if t.begun != nil {
		t.begun.discard()
	}
}

// Start builds the sandbox and leaves the program at its threshold.
//
// Security: the returned session's program has not run yet, and every promised
// layer was read back from the kernel. On an error nothing is left.
func (t Tier) Start(ctx context.Context, p enforce.Plan, io enforce.Stdio) (enforce.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := t.start(ctx, p, io)
	if err != nil {
		return nil, fmt.Errorf("build the sandbox: %w", err)
	}
	if s.report, err = readBack(s.pid, p, s.outside, s.group, s.hears); err != nil {
		s.abandon()
		return nil, fmt.Errorf("read the sandbox back: %w", err)
	}
	if broken := s.report.Broken(); broken != nil {
		s.abandon()
		return nil, fmt.Errorf("a promised layer does not hold: %v", broken)
	}
	s.letGo = holdMounts(s.pid, p.Trapped())
	return s, nil
}

func (t Tier) start(ctx context.Context, p enforce.Plan, io enforce.Stdio) (*session, error) {
	if p.Link != nil && t.Networker == nil {
		return nil, errors.New("internal error: a plan with a link, and nobody at its other end")
	}
	attach := newAttacher(p)
	var asking *asking
	if p.Asks() {
		var err error
		if asking, err = newAsking(ctx, p, t.Asker, attach); err != nil {
			return nil, err
		}
	}
	if t.begun.fits(p, io) {
		return t.begun.finish(ctx, p, attach, asking, t)
	}
	t.Discard()
	group, err := cgroup.ForPlan(p, 0)
	if err != nil {
		return nil, errors.Join(err, asking.end())
	}
	bg, err := begin(p, io, group)
	if err != nil {
		return nil, errors.Join(err, asking.end(), removeGroup(group))
	}
	return bg.finish(ctx, p, attach, asking, t)
}

// begun is a sandbox whose namespaces are made and whose process waits for the
// rest of its row.
type begun struct {
	b     *builder
	first *namespace.List // what the process was made with
	io    enforce.Stdio
	s     *session
	told  bell          // once it is known whether the row has started the sandbox
	stood chan struct{} // closed when the view stands, or never will; nil: none is to
	used  atomic.Bool
}

// begin clones a process that enters its namespaces and then waits for one byte
// on the line. A thread stays in the kernel until it has ended.
func begin(outline enforce.Plan, io enforce.Stdio, group *cgroup.Group) (_ *begun, err error) {
	s := &session{group: group, late: newLateLink(), denials: make(chan enforce.Denial, 64), ended: make(chan struct{})}
	bg := &begun{io: io, s: s}
	if bg.told, err = newBell(); err != nil {
		return nil, err
	}
	next, err := newBell()
	if err != nil {
		bg.told.close()
		return nil, err
	}
	rows := make(chan *namespace.List, 1)
	defer func() {
		close(rows)
		next.ring()
		if err != nil {
			bg.told.close()
		}
	}()
	go s.keep(next, rows, bg.told) // it gets its thread meanwhile
	b, err := newBuilder(outline, io)
	if err != nil {
		return nil, err
	}
	if group != nil {
		b.procs = group.ProcsFDs()
	}
	if err := b.first(); err != nil {
		b.close()
		return nil, err
	}
	if s.line, err = newLine(b.parent); err != nil {
		b.close()
		return nil, err
	}
	b.parent = -1 // the line's now
	bg.b, bg.first = b, b.list
	rows <- b.list
	return bg, nil
}

// fits reports whether p can go on from here.
func (bg *begun) fits(p enforce.Plan, io enforce.Stdio) bool {
	if bg == nil || bg.used.Load() || bg.io != io || len(p.Limits.Cgroup) > 0 {
		return false
	}
	o := bg.b.plan
	return slices.Equal(o.Namespaces, p.Namespaces) && o.UID == p.UID && o.GID == p.GID && o.Hostname == p.Hostname &&
		o.Landlock.ABI == p.Landlock.ABI && o.Limits.PIDMax == p.Limits.PIDMax && bg.b.ahead.fits(p) && bg.stands()
}

// discard ends the waiting process: its line closes, and its row stops there.
func (bg *begun) discard() {
	if bg.used.Swap(true) {
		return
	}
	_ = bg.s.line.Close()
	if err := bg.started(); err == nil {
		bg.s.abandon()
	}
	if bg.stood != nil {
		<-bg.stood
		bg.s.letCopyGo()
	}
	bg.b.close()
}

// started waits until the row has started the sandbox, or has failed and left nothing.
func (bg *begun) started() (err error) {
	bg.told.wait()
	if bg.s.pid, err = bg.first.Started(); err != nil {
		<-bg.s.ended
	}
	return err
}

// finish gives the process the rest of its row and waits until init is there.
func (bg *begun) finish(ctx context.Context, p enforce.Plan, attach *attacher, asking *asking, t Tier) (*session, error) {
	s, b, last := bg.s, bg.b, bg.b.list
	if b.ahead != nil {
		last = b.ahead.list
	}
	s.attach, s.asking, s.network = attach, asking, t.Networker
	s.plan, b.plan, b.list = p, p, &namespace.List{}
	var err error
	if s.zones, err = row.OpenZones(p, b.ids(), s.storing(ctx, t.Storer)); err == nil {
		err = b.rest()
	}
	if err != nil {
		bg.discard()
		return nil, errors.Join(err, asking.end(), s.zones.End(), removeGroup(s.group))
	}
	bg.used.Store(true)
	s.stood = b.whole
	defer b.close()
	last.Then(b.list)
	listening := make(chan error, 1)
	s.watched = make(chan struct{})
	go s.watch(listening)
	_ = s.line.send(1)          // a process that is gone says why below
	s.outside = ownNamespaces() // while the row goes on
	if err := bg.started(); err != nil {
		_ = s.line.Close()
		<-listening //nolint:errcheck // what ended it is said by the row
		return nil, errors.Join(explain(err), s.endServing(), removeGroup(s.group))
	}
	attach.init.Store(int64(s.pid))
	s.positions = positions(s.pid, bg.io, b.files)
	// The listener was sent before clone returned. It is taken off the line
	// before anything else comes over it.
	if err := <-listening; err != nil {
		s.abandon()
		return nil, fmt.Errorf("receive the listener: %w", err)
	}
	if err := asking.enter(); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// keep starts the row that it is given, if there is one, and waits for the end of what
// that has made.
func (s *session) keep(b bell, rows <-chan *namespace.List, told bell) {
	b.wait()
	list, ok := <-rows
	if !ok {
		return
	}
	list.Run(int(told), &s.status)
	close(s.ended)
}

// explain adds what a person can do about the failures that hosts cause.
func explain(err error) error {
	var step *namespace.StepError
	if !errors.As(err, &step) {
		// EACCES is what AppArmor and SELinux answer.
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) {
			return fmt.Errorf("%w: this host does not let this user make namespaces, and user namespaces come first; `ambit doctor` says what forbids it and how to change that", err)
		}
		return err
	}
	switch {
	case step.What == stepProc && errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: this host hides parts of /proc (as containers do), so a fresh one is refused; run `ambit doctor`", err)
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: run `ambit doctor` to see which layer this host refuses", err)
	}
	return err
}

func removeGroup(g *cgroup.Group) error {
	if g == nil {
		return nil
	}
	return g.Remove()
}

// options translates the plan for the filter.
func options(f enforce.Filter) seccomp.Options {
	return seccomp.Options{NoSpawn: f.NoSpawn, LimitExec: f.LimitExec, HoldConnect: f.WatchConnect, HoldOpen: f.WatchOpens,
		HoldChanges: f.HoldChanges, HoldRuns: f.HoldRuns, HoldLooks: f.HoldLooks, NoGroupSignal: f.NoGroupSignal, HoldListens: f.HoldListens, HoldSockets: f.HoldSockets}
}

// rulesetFor opens a Landlock ruleset that handles every file right.
func rulesetFor(p enforce.Plan) (int, error) {
	fd, err := landlock.Ruleset(p.Landlock.ABI)
	if err != nil {
		return -1, fmt.Errorf("make a Landlock ruleset: %w", err)
	}
	return fd, nil
}
