package main

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// A denoCheck answers what Deno programs ask at the door of a session, as if they
// had touched it.
//
// Security: a yes here shows nothing and connects nothing. It is kept as a grant
// like any other, and the touch that follows is decided by that.
type denoCheck struct {
	s *prepared
	t *toucher
	d *denoDoor
}

// touchKinds are the kinds of touch that a capability is asked for by.
var touchKinds = map[capability.Kind]enforce.TouchKind{
	capability.FSRead: enforce.TouchRead, capability.FSWrite: enforce.TouchWrite, capability.ProcessSpawn: enforce.TouchRun}

// find says which object a process of the sandbox means.
func (c denoCheck) find(pid int, k capability.Kind, path string) (string, error) {
	<-c.d.begun
	if c.d.inside == nil {
		return "", errors.New("there is no sandbox that could ask")
	}
	t, err := c.d.inside.Find(pid, touchKinds[k], path)
	return t.Path, err
}

// check answers one request.
func (c denoCheck) check(ctx context.Context, pid int, r decision.Request) decision.Decision {
	switch k := r.Capability.Kind(); k {
	case capability.FSRead, capability.FSWrite, capability.ProcessSpawn:
		return c.touch(ctx, pid, r)
	case capability.NetConnect:
		return c.flow(ctx, pid, r)
	case capability.NetListen:
		// It listens in the sandbox's own network. Who else may come there is asked
		// about when it does.
		return decision.Decision{Request: r.ID, Outcome: decision.Allow}
	default:
		return c.t.check(ctx, c.t.gate, unasked(r))
	}
}

// touch answers for a path.
func (c denoCheck) touch(ctx context.Context, pid int, r decision.Request) decision.Decision {
	pattern, _ := r.Capability.Pattern()
	path, literal := pattern.Literal()
	if !literal {
		return unrecorded(errors.New("it names no file"))
	}
	o, err := view.Resolve(path)
	if err == nil && o.Path != path {
		err = &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
	}
	if err != nil {
		return unrecorded(err)
	}
	program, argv := nameOf(pid), lineOf(pid)
	touch := enforce.Touch{Kind: touchKinds[r.Capability.Kind()], Path: path, Dir: o.Dir, Dev: o.Dev, Ino: o.Ino, PID: pid,
		Program: program, Argv: argv, Call: r.Why}
	_, v := c.t.put(ctx, touch)
	return v.words()
}

// flow answers for a connection.
func (c denoCheck) flow(ctx context.Context, pid int, r decision.Request) decision.Decision {
	switch {
	case ownLoopback(r.Capability):
		return decision.Decision{Request: r.ID, Outcome: decision.Allow}
	case c.s.spec.Plan.Link == nil: // there is no network that a yes would open
		return c.t.check(ctx, c.t.gate, unasked(r))
	}
	r.Subject.Program = nameOf(pid)
	v := verdict{d: c.t.check(ctx, c.t.gate, r)}
	if v.d.Outcome == decision.Ask {
		v.said = c.t.askFlow(ctx, wire.Ask{Request: r, Flow: wire.Flow{Program: wire.Program{Name: r.Subject.Program, PID: pid}}})
		if ctx.Err() != nil {
			return decision.Decision{}
		}
		v.d = c.t.check(ctx, c.t.gate, unasked(r))
	}
	if v.d.Outcome != decision.Allow {
		c.t.denied(known{kind: r.Capability.Kind(), path: r.Capability.Scope()}, r.Capability, v)
	}
	return v.words()
}

// unrecorded refuses what cannot be decided about.
func unrecorded(err error) decision.Decision {
	return decision.Decision{Reasons: []decision.Reason{{Rule: decision.Erred, Text: capability.Printable(err.Error())}}}
}

// unasked is a request, by an id of its own, that nobody is asked about.
func unasked(r decision.Request) decision.Request {
	r.ID, r.CanAsk = audit.NewID("d"), false
	return r
}

// ownLoopback reports whether a destination is the sandbox itself.
func ownLoopback(c capability.Capability) bool {
	if name, _, _ := strings.Cut(c.Scope(), ":"); name == "localhost" {
		return true
	}
	at, err := netip.ParseAddr(c.Scope())
	if both, failed := netip.ParseAddrPort(c.Scope()); failed == nil {
		at, err = both.Addr(), nil
	}
	return err == nil && at.Unmap().IsLoopback()
}

// nameOf is the name of a process, "" where it cannot be read.
func nameOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// words are the decision, with what a person said, or why nobody did, before the
// reasons.
func (v verdict) words() decision.Decision {
	if v.d.Outcome == decision.Allow || v.said == "" {
		return v.d
	}
	v.d.Reasons = append([]decision.Reason{{Rule: decision.NotGranted, Text: capability.Printable(v.said)}}, v.d.Reasons...)
	return v.d
}
