package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/thread"
)

// standBy makes namespaces and the view of a command that was granted nothing, and
// waits for the launch. Not ok: there will be none.
//
// Security: nothing is decided yet and nothing granted. What the launch reads it reads
// when it is known: this host, policy, grants and the base view. Of what is made here
// Start takes what is the same as in the plan, and makes anew what is not.
func (a *app) standBy(state string) (launch keep.Launch, ok bool, err error) {
	line, claim, stands := inherit(keep.LaunchFD), inherit(keep.ClaimFD), inherit(keep.StandsFD) // before anything is started
	defer line.Close()
	thread.Exact() // a launch may need it, and it cannot be had once a row waits
	if err := a.stand(); err != nil {
		return launch, false, err
	}
	if !readable(keep.LaunchFD, 0) { // or it would wait for that
		a.rehearse(state)
	}
	_, _ = stands.Write([]byte{'\n'}) // to whoever started it, which goes on without
	_ = stands.Close()
	if !a.stood.wait(keep.LaunchFD) {
		return launch, false, nil // another one takes its place
	}
	in := json.NewDecoder(io.LimitReader(line, keep.MaxLaunch))
	switch err := in.Decode(&launch); {
	case errors.Is(err, io.EOF):
		return launch, false, nil // nobody needs it any more
	case err != nil:
		return launch, false, fmt.Errorf("read what to launch: %w", err)
	}
	a.stood.log.Ready() // the record of the launch waits longest for the disk
	a.claimed = sync.OnceValue(func() error {
		defer claim.Close()
		said := make([]byte, 1)
		if _, err := io.ReadFull(claim, said); err != nil || said[0] != keep.Claimed {
			return errNotClaimed
		}
		return nil
	})
	told := traceOf(launch.Trace, launch.TraceState)
	a.belongs = &told
	if launch.Dir == "" {
		return launch, true, nil
	}
	return launch, true, os.Chdir(launch.Dir) //nolint:forbidigo // it is where the launcher would have been started; nothing else runs here
}

// inherit is a descriptor that its keeper gave this launcher, and nothing that it starts.
func inherit(fd int) *os.File {
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "of the keeper")
}

// readable reports whether something comes by a descriptor within a time, or it ends.
func readable(fd int, within time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(within/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0 // reading says why
		}
	}
}

var errNotClaimed = errors.New("the session was begun by another launcher, or is none any more")

// mine waits until it is known that the launch is this launcher's.
//
// Security: a session is launched once. Whoever launches it has claimed its folder;
// that goes on while the launch is prepared, of which nothing is written down and
// nothing is shown to anybody before. Its sandbox may be built, where that leaves
// nothing: no program is let go before the launch is recorded, and no record is
// written before this.
func (a *app) mine() error {
	if a.claimed == nil {
		return nil // nobody else could
	}
	return a.claimed()
}

// readyLog reads the end of the log and has it on the disk while the launch is prepared
// and it is not known whose it is, so that its record waits for nothing but itself.
//
// Security: nothing is written down by that, nor made where there is no log.
func (s *prepared) readyLog(ctx context.Context) {
	if dir, err := s.app.auditDir(); err != nil || !audit.There(dir) {
		return
	}
	if l, err := s.log.get(); err == nil {
		_ = l.Ready(ctx) // the record says what is wrong
	}
}

// leavesNothing reports whether this session's sandbox can be built, and ended before
// its program began, without anything of it being seen outside: nobody is asked, nothing
// is served to it, and nothing is kept of it.
func (s *prepared) leavesNothing() bool {
	p := s.spec.Plan
	return s.tier.name == enforce.TierProcess && !s.unowned && !s.flags.plan && !s.flags.asks() && s.app.kept == nil && s.egress == nil &&
		len(s.input.Volumes) == 0 && p.Stored == nil && p.Link == nil && len(p.Limits.Cgroup) == 0
}

// rehearse prepares a launch that does not happen and keeps nothing of it but the log, which it
// opens, so that what a launch needs of this program is in memory.
//
// Security: the sandbox that stands by was begun before, and has no copy of the log's key.
func (a *app) rehearse(state string) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	other := &app{in: null, out: null, err: null, now: a.now}
	other.execute([]string{"run", keep.StateFlag + state, "--ask=" + askNone, "--plan", "--", "true"})
	if dir, err := other.auditDir(); err == nil {
		a.stood.log, _ = audit.OpenEarly(dir, audit.Options{Waits: a.waits}) // there may be no log yet
	}
}

// stood is what a launcher that stands by has made and read.
type stood struct {
	base   *view.Reading // nil: to be read
	log    *audit.Early  // nil: to be opened
	mounts int           // tells of changes of the host's mounts, once each; 0: it does not
	others bool          // the host had other mounts when there was something to launch
}

// stand makes the sandbox of a command that was granted nothing.
func (a *app) stand() (err error) {
	s := &prepared{app: a, flags: &runFlags{ask: askNone}, facts: hostFacts(who())}
	if a.stood.mounts, err = unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("look at the host's mounts: %w", err)
	}
	a.early = process.Begin(enforce.Outline(bounds(s.facts, enforce.Limits{})), a.stdio())
	if a.stood.base, err = view.Read(who()); err != nil {
		return nil //nolint:nilerr // the launch will say so
	}
	base, err := a.stood.base.Base(who())
	if err != nil {
		return nil //nolint:nilerr // likewise
	}
	if all, _, err := s.usual(base); err == nil { // likewise
		a.early.Stand(all)
	}
	return nil
}

// standingTime is how long something of the host's may stay in use that was mounted
// when a launcher began to stand by.
const standingTime = 5 * time.Second

// wait waits until something comes by a descriptor. It reports false when the host's
// mounts are others by then: what was taken out there would stay in use here.
func (s stood) wait(fd int) bool {
	for !readable(fd, standingTime) {
		if s.moved() {
			return false
		}
	}
	return true
}

// moved reports whether the host has other mounts than when the sandbox was made:
// it has a copy of those.
func (s stood) moved() bool {
	if s.mounts == 0 {
		return true
	}
	poll := []unix.PollFd{{Fd: int32(s.mounts), Events: unix.POLLPRI}} // proc(5), /proc/pid/mounts
	for {
		n, err := unix.Poll(poll, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err != nil || n != 0
	}
}

// runStandBy is run for a launcher that stands by.
func (a *app) runStandBy(state string) int {
	defer func() { a.early.Discard() }()
	launch, ok, err := a.standBy(state)
	if err != nil {
		printf(a.err, "ambit: %v\n", err)
		return exitFailed
	}
	if !ok {
		return 0
	}
	return a.execute(launch.Args)
}

// standsBy are the arguments of a launcher that stands by: it makes what most launches
// have, and waits to be told which one it is.
func standsBy(args []string) (state string, ok bool) {
	if len(args) != 3 || args[0] != "run" || args[1] != "--"+keep.StandByFlag {
		return "", false
	}
	return strings.CutPrefix(args[2], keep.StateFlag)
}

// beginTier begins with a sandbox of the process tier, while it is decided what it has,
// or goes on with the one that stands by.
func (s *prepared) beginTier() process.Tier {
	if early := s.app.early; early.Begun() {
		if s.app.stood.others = s.app.stood.moved(); !s.app.stood.others {
			return early
		}
		early.Discard()
	}
	tier := process.Begin(enforce.Outline(bounds(s.facts, enforce.Limits{})), s.app.stdio())
	s.ahead(tier)
	return tier
}

// stoodFor is a word for what became of the sandbox that stood by: it was used whole, or
// is of no use for this plan, or the view in it was made anew.
func (s *prepared) stoodFor(whole bool) string {
	switch {
	case whole:
		return audit.StoodUsed
	case s.tier.name != enforce.TierProcess:
		return audit.StoodTier
	case s.app.stood.others:
		return audit.StoodMounts
	case s.flags.asks():
		return audit.StoodAsking
	case len(s.spec.Plan.Limits.Cgroup) > 0:
		return audit.StoodLimits
	case s.input.Home != enforce.HomeEphemeral:
		return audit.StoodHome
	}
	return audit.StoodGrants
}
