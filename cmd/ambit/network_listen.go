package main

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/egress/wire"
)

// ports are those of the sandbox that the host's loopback leads to.
type ports struct {
	publishing sync.Mutex // one at a time

	mu  sync.Mutex
	all map[uint16]port // guarded by mu; by the port inside
}

// A port is one of them: by what, and where.
type port struct {
	by capability.Capability
	at netip.AddrPort
}

func (p *ports) has(inside uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.all[inside]
	return ok
}

// listenPorts are the ports of a net.listen; host is 0 where it is the same.
func listenPorts(c capability.Capability) (inside, host uint16) {
	in, out, _ := strings.Cut(c.Scope(), "/")
	a, _ := strconv.ParseUint(in, 10, 16) // a capability that was parsed has numbers there
	b, _ := strconv.ParseUint(out, 10, 16)
	return uint16(a), uint16(b)
}

// errTaken says that somebody of the host has the port.
var errTaken = errors.New("is taken")

// publish has the host's loopback lead to a port of the sandbox. It reports
// whether it did not before.
//
// Security: the egress process listens after the gate has allowed it, and the gate
// is asked by it and answers here. What is listened on is the loopback only.
func (n *network) publish(c capability.Capability) (at netip.AddrPort, fresh bool, err error) {
	inside, host := listenPorts(c)
	n.ports.publishing.Lock()
	defer n.ports.publishing.Unlock()
	n.ports.mu.Lock()
	had, ok := n.ports.all[inside]
	n.ports.mu.Unlock()
	if ok {
		return had.at, false, nil
	}
	var said wire.Published
	if err := n.want(wire.Message{Publish: &wire.Publish{Port: inside, Host: host}}, func(m wire.Message) bool {
		if m.Published != nil {
			said = *m.Published
		}
		return false
	}); err != nil {
		return at, false, err
	}
	switch {
	case said.Taken:
		if host == 0 {
			host = inside
		}
		return at, false, n.s.app.portTaken(inside, host)
	case said.Fault != "" || !said.At.IsValid():
		return at, false, errors.New(capability.Printable(said.Fault))
	}
	n.ports.mu.Lock()
	defer n.ports.mu.Unlock()
	n.ports.all[inside] = port{c, said.At}
	return said.At, true, nil
}

// publishAll publishes what was granted for the launch. One that cannot be had
// ends it: a server that nobody reaches is not what was asked for.
func (n *network) publishAll(granted []capability.Capability) error {
	for _, c := range granted {
		if c.Kind() != capability.NetListen {
			continue
		}
		if _, _, err := n.publish(c); err != nil {
			return err
		}
	}
	return nil
}

// republish follows the grants: what came is published, what went was closed by
// the plane and may be asked about again.
func (n *network) republish(grants []grant.Grant) {
	in := decision.Input{Manifest: n.s.manifest, Grants: grants, Policy: n.s.policy, Now: n.s.app.now()}
	allowed := func(c capability.Capability) bool {
		return decision.Decide(decision.Request{Subject: n.s.subject, Capability: c}, in).Outcome == decision.Allow
	}
	n.ports.mu.Lock()
	for inside, p := range n.ports.all {
		if !allowed(p.by) {
			delete(n.ports.all, inside)
		}
	}
	n.ports.mu.Unlock()
	for _, g := range grants {
		if c := g.Capability; c.Kind() == capability.NetListen && g.Outcome == grant.Allow && allowed(c) {
			_ = n.tellPort(c) // it was told, and the session goes on; without a link, when there is something to listen on
		}
	}
}

// tellPort publishes a port while the program runs, and says where it is.
func (n *network) tellPort(c capability.Capability) error {
	at, fresh, err := n.publish(c)
	switch {
	case n.s.app.json, errors.Is(err, errNoLink):
	case err != nil:
		n.say(func() { printf(n.s.app.err, "ambit: %s: %v\n", c.Display(), err) })
	case fresh:
		inside, _ := listenPorts(c)
		n.say(func() { printf(n.s.app.err, "ambit: %s leads to the program's port %d\n", at, inside) })
	}
	return err
}
