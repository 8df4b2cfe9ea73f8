//go:build linux

package gvisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// Platform is how the sentry runs the program's code.
type Platform string

// Systrap catches the program's system calls by a filter of the host's; it needs
// no device and no privilege.
const Systrap Platform = "systrap"

// Tier is the gVisor tier.
type Tier struct {
	Program string // path of ambit-runsc
	Guest   string // path of enforce.OwnProgram; "": what takes it is refused
	Version string // that it has to say it is
	// Asker answers first touches; needed for plans that ask.
	Asker enforce.Asker
	// Networker takes the other end of the link; needed for plans with one.
	Networker enforce.Networker
	// From are the parts of a snapshot of a session with the same plan, which the
	// program begins from; nil: it begins anew.
	From []*os.File
}

// Name is what really runs.
func (Tier) Name() string { return enforce.TierGVisor + "-" + string(Systrap) }

// readyWithin is how long a sandbox may take until its program could begin.
const readyWithin = 60 * time.Second

// Start builds the sandbox and leaves the program at its threshold.
//
// Security: the returned session's program has not run yet: the sentry waits for
// its start. Every promised layer was read back from the host's kernel. On an
// error nothing is left.
func (t Tier) Start(ctx context.Context, p enforce.Plan, stdio enforce.Stdio) (enforce.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Tier != enforce.TierGVisor {
		return nil, fmt.Errorf("internal error: a plan of the %s tier", p.Tier)
	}
	if p.Link != nil && t.Networker == nil {
		return nil, errors.New("internal error: a plan with a link, and nobody at its other end")
	}
	r, err := newRelay(stdio)
	if err != nil {
		return nil, err
	}
	s, err := t.start(ctx, p, r)
	r.handed()
	if err != nil {
		r.close()
		return nil, fmt.Errorf("build the sandbox: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Kill() }) // the wait below ends with it
	defer stop()
	if err := s.settle(t); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// start makes the process that becomes the agent.
func (t Tier) start(ctx context.Context, p enforce.Plan, r *relay) (*session, error) {
	group, err := cgroup.ForPlan(p, ownPIDs)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(p, t.Program, r.give)
	if err != nil {
		return nil, errors.Join(err, removeGroup(group))
	}
	defer b.close()
	if group != nil {
		b.procs = group.ProcsFDs()
	}
	terminal := t.From == nil && isTerminal(int(r.give[0].Fd())) && isTerminal(int(r.give[1].Fd())) && isTerminal(int(r.give[2].Fd()))
	spec, err := specOf(p, terminal, umask())
	if err == nil {
		err = b.build(spec, flags(p))
	}
	var zones *row.Zones
	if err == nil {
		zones, err = row.OpenZones(p, idsOf(p), nil)
	}
	if err != nil {
		return nil, errors.Join(err, removeGroup(group))
	}
	asking, err := newAsking(ctx, p, t.Asker, &b.answers)
	if err != nil {
		return nil, errors.Join(err, zones.End(), removeGroup(group))
	}
	s := &session{plan: p, guest: t.Guest, asking: asking, zones: zones, terminal: terminal, from: t.From, relay: r, group: group, line: b.parent, denials: make(chan enforce.Denial),
		ended: make(chan struct{}), heard: make(chan struct{}), first: make(chan wire.Reply, 1), done: make(chan wire.Reply, 1)}
	b.parent = -1 // the session's now
	started := make(chan error, 1)
	go s.keep(b.list, started)
	served := make(chan error, 1)
	go func() { served <- asking.take(s.line) }() // the row walks in what is served
	failed := <-started
	b.close() // with its end of the line, for who waits for what a row that failed never sent
	if err := <-served; failed != nil || err != nil {
		if failed == nil {
			_ = s.Kill()
			<-s.ended
		}
		_ = unix.Close(s.line)
		return nil, errors.Join(explain(cmp.Or(failed, err)), asking.end(), zones.End(), removeGroup(group))
	}
	return s, nil
}

// umask is this process's. There is no call that only reads it.
func umask() uint32 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0o077
	}
	var mask uint32
	if _, err := fmt.Sscanf(field(string(text), "Umask"), "%o", &mask); err != nil {
		return 0o077
	}
	return mask
}

// flags are those of the runtime.
func flags(p enforce.Plan) []string {
	all := []string{
		"--root=" + wire.State, "--platform=" + string(Systrap), "--ignore-cgroups", "--overlay2=none",
		// The host's files may change under the sandbox.
		"--file-access=shared", "--file-access-mounts=shared",
		"--host-settings=ignore", "--panic-log=" + wire.Panic,
		// The gofer opens files, never the sentry. What is mounted on a name keeps it
		// from being renamed or removed only in the mount namespace that has the mount
		// (is_local_mountpoint in the kernel's fs/namespace.c), which is the gofer's:
		// the sentry could move a mask away, and what it hides with it.
		"--directfs=false",
		"--rootless", // no user id but this one is mapped
	}
	if p.Filter.NoSpawn {
		all = append(all, "--oci-seccomp")
	}
	if p.Link != nil {
		all = append(all, "--network=host", "--gofer-network-namespace=new")
	} else { // the outer namespace is empty
		all = append(all, "--network=none", "--gofer-network-namespace=host")
	}
	all = append(all, "agent")
	if p.Trapped() {
		all = append(all, "--asks")
	}
	return append(all, p.Session) // people, and tests, find what runs for a session by it
}

// keep owns the thread to which the kernel binds the life of the sandbox.
func (s *session) keep(list *namespace.List, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	pid, err := list.Start()
	runtime.KeepAlive(list)
	s.pid = pid
	started <- err
	if err != nil {
		return
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	close(s.ended)
}

// settle waits until the sentry is ready and reads the sandbox back.
func (s *session) settle(t Tier) error {
	next := func() (int, error) { return descriptor(s.line) }
	if err := errors.Join(row.TakeLink(s.plan.Link, t.Networker, next), s.zones.Take(next)); err != nil {
		return err
	}
	go s.hear()
	select {
	case r := <-s.first:
		if r.Error != "" {
			return fmt.Errorf("start the sandbox's kernel: %s", r.Error)
		}
		if r.Version != t.Version {
			return fmt.Errorf("%s is of version %q, and this is %q: build or install both together", t.Program, r.Version, t.Version)
		}
	case <-s.ended:
		return errors.New("start the sandbox's kernel: its agent has ended")
	case <-time.After(readyWithin):
		return fmt.Errorf("start the sandbox's kernel: it was not ready within %v", readyWithin)
	}
	var err error
	if s.report, s.sentry, s.gofer, err = readBack(s.pid, s.plan, t.Name(), s.group); err != nil {
		return fmt.Errorf("read the sandbox back: %w", err)
	}
	if err := s.load(); err != nil {
		return err
	}
	if broken := s.report.Broken(); broken != nil {
		return fmt.Errorf("a promised layer does not hold: %v", broken)
	}
	return nil
}

func removeGroup(g *cgroup.Group) error {
	if g == nil {
		return nil
	}
	return g.Remove()
}
