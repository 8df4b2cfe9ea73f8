package enforce

import (
	"errors"
	"fmt"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
)

// The tiers, by what a plan promises. What a Report says is what really runs: it
// may add how, as in gvisor-systrap.
const (
	TierProcess  = "process"          // the host's kernel, narrowed
	TierGVisor   = "gvisor"           // a second kernel, in user space
	TierMicroVM  = "microvm"          // a machine of its own, by the processor's means
	TierEmulated = "microvm-emulated" // the same machine, emulated: no more than the jail around it
)

// carries says what of an Input a tier carries out. What it does not is refused
// by name, and never left out.
type carries struct {
	landlock bool // the host's kernel runs the program, so Landlock is required
	watch    bool // connects and opens that the plan does not have are told of
	hold     bool // what asks can hold any call: second programs, ports and sockets are asked about too
	appends  bool // what is there can be kept from being changed while more is added
	counts   bool // what is written to a folder of the host can be counted, and bounded
	stores   bool // what outlives a session can be read and committed
	copies   bool // the sandbox has copies of what is granted, and what is added to them is brought back
	some     bool // single programs may be started, and no others
	link     bool // a network that decides about each flow
	listen   bool // ports inside can be reached from the host
	sockets  bool // sockets of the host can be connected to
	pids     bool // a bound on processes that somebody asked for
	weaker   bool // bounds may be kept by process, where no control group can be had
	bounds   bool // its own kernel keeps all bounds, and needs nothing of the host for it
}

// carriedBy is what a tier carries out; false for one that is not known.
func carriedBy(tier string) (carries, bool) {
	switch tier {
	case TierProcess:
		return carries{landlock: true, watch: true, hold: true, appends: true, counts: true, stores: true, some: true, link: true, listen: true, sockets: true, pids: true, weaker: true}, true
	case TierGVisor:
		return carries{appends: true, link: true, listen: true}, true
	case TierMicroVM, TierEmulated:
		return carries{appends: true, copies: true, link: true, pids: true, bounds: true}, true
	}
	return carries{}, false
}

// promises is the tier of a plan; the process tier where nothing was said.
func (in Input) promises() string {
	if in.Tier == "" {
		return TierProcess
	}
	return in.Tier
}

// AsksAll reports whether a tier asks about all first touches: about ports and sockets too,
// beside files.
func AsksAll(tier string) bool {
	c, _ := carriedBy(tier)
	return c.hold
}

// Watches reports whether a tier can tell of files that were not there.
func Watches(tier string) bool {
	c, _ := carriedBy(tier)
	return c.watch
}

func listens(c capability.Capability) bool { return c.Kind() == capability.NetListen }

// asking leaves out of what can be asked about that for which a tier would have to hold
// calls: it stays refused, as what nobody granted is.
func (c carries) asking(in Input) Input {
	if !c.hold {
		in.AskRun, in.AskSpawn, in.AskListen = nil, false, false
	}
	if !c.stores {
		in.AskStored = nil
	}
	return in
}

// required refuses a host on which nothing of a tier would be a boundary.
func (c carries) required(tier string, f Facts) error {
	if c.landlock && f.LandlockABI < MinLandlockABI {
		return fmt.Errorf("the %s tier needs Landlock version %d or later, this kernel offers %d: run `ambit doctor`", tier, MinLandlockABI, f.LandlockABI)
	}
	if !f.UserNamespace && (f.UID != 0 || !c.landlock) {
		return fmt.Errorf("the %s tier needs user namespaces, and this user may not make them: `ambit doctor` says what forbids it and how to change that", tier)
	}
	return nil
}

// refuse names what was asked of a tier that it does not carry out.
//
// Security: this is the only place where a plan of a tier can lose something of
// its Input, and it loses the launch.
func (c carries) refuse(in Input, set *effective, l LimitPlan) error {
	tier := in.promises()
	cannot := func(what, why string) error { return &CannotEnforce{what, "the " + tier + " tier " + why} }
	switch {
	case in.Ask && in.Notify && !c.hold:
		return cannot("asking by notification", "has no filter that could hold its calls; use --ask-by trap, or --tier process")
	case len(set.appends()) > 0 && !c.appends:
		return cannot("append-only "+set.appends()[0].Path, "has no way to let files only grow; use --tier process")
	case c.copies && slices.ContainsFunc(set.appends(), func(e Entry) bool { return !e.Read }):
		return cannot("append-only "+set.appends()[0].Path+" that is not to be read", "works on copies, which can be read; grant fs.read too")
	case in.WatchOpens && !c.watch:
		return cannot("reporting files that were not there", "does not hear of what its kernel refuses; use --watch-files off, or --tier process")
	case in.Link != nil && !c.link:
		return cannot("a network", "has no link to one yet; use --tier process")
	case !c.listen && slices.ContainsFunc(in.Effective, listens):
		return cannot("net.listen", "has no way in from outside yet; leave it out, or use --tier process")
	case set.limitExec() && !set.noSpawn() && !c.some:
		return cannot("process.spawn of single programs", "cannot tell programs apart; grant process.spawn, or none of it, or use --tier process")
	case len(set.sockets) > 0 && !c.sockets:
		return cannot("connecting to "+set.sockets[0], "has no way to a socket of the host; leave it out, or use --tier process")
	case in.Limits.PIDs > 0 && !c.pids:
		return cannot("a limit of pids", fmt.Sprintf("bounds all that runs for a sandbox, its own kernel included, at %d", DefaultPIDs))
	case in.Limits.Memory > 0 && slices.Contains(l.Weaker, "memory") && !c.weaker:
		return errors.New("in the " + tier + " tier a limit of memory needs a control group, and none can be had here: run `ambit doctor`")
	}
	return nil
}
