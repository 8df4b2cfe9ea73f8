//go:build linux

package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/address"
)

// maxAddresses is how many addresses of a name are looked at.
const maxAddresses = 16

// resolve returns the addresses that may be dialled for a target that was
// allowed.
//
// Security: this is the one time that the name is resolved; what is returned is
// dialled and nothing else, so a resolver that changes its mind changes nothing.
// Each address that is not public needs a grant of its own, whatever name led to
// it, and in whatever form it came; and none may be one that is denied.
func (p *Plane) resolve(ctx context.Context, f *flow, t target) ([]netip.Addr, *refusal) {
	if t.name == "" {
		return []netip.Addr{t.addr}, nil // its class was part of the decision
	}
	if t.name == HostName {
		return p.undenied(ctx, f, t, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()})
	}
	// With its last dot, or the host's list of search domains would be tried.
	all, err := p.cfg.Resolver.LookupNetIP(ctx, "ip", t.name+".")
	if err != nil {
		if context.Cause(p.ctx) != nil || context.Cause(ctx) != nil && ctx.Err() == context.Canceled {
			return nil, gone(ctx)
		}
		return nil, refuse(Unresolvable, "%v", err)
	}
	var may []netip.Addr
	none := refuse(Unresolvable, "%s has no address", t.name)
	host := p.cfg.Host()
	for _, a := range all[:min(len(all), maxAddresses)] {
		a = address.Plain(a)
		class := address.Of(a, host...)
		if class != address.Public && !p.granted(ctx, f, t, a, class) {
			none = refuse(Class, "%s resolves to %s, which is of the class %s", t.name, a, class)
			continue
		}
		may = append(may, a)
	}
	if len(may) == 0 {
		return nil, none
	}
	return p.undenied(ctx, f, t, may)
}

// undenied leaves out the addresses of a name that are denied.
//
// Security: who denies an address denies what is there, under whatever name somebody
// else has it. An IPv4 address inside an IPv6 one is asked about too. A connection whose
// requests are decided stays at the address that it goes to (openFlow.Leads).
func (p *Plane) undenied(ctx context.Context, f *flow, t target, all []netip.Addr) (may []netip.Addr, no *refusal) {
	if !p.asksAddresses() {
		return all, nil
	}
	f.mu.Lock()
	opened, before := f.opened, f.told.Dialled.Addr()
	f.mu.Unlock()
	if opened && before.IsValid() {
		i := slices.Index(all, address.Plain(before))
		if i < 0 {
			return nil, refuse(DialFailed, "%s leads no longer to %s, to which this connection goes", t.name, before)
		}
		all = all[i : i+1]
	}
	c, err := t.asked(opened)
	for _, a := range all {
		switch d := p.led(ctx, p.subject(f), t.leadsTo(a, c, false)); {
		case err != nil:
			no = refuse(NotGranted, "internal error: %v", err)
		case d.Outcome == decision.Deny:
			no = refuse(NotGranted, "%s resolves to %s: %s", t.name, a, reason(d))
		default:
			may = append(may, a)
		}
	}
	if len(may) > 0 {
		return may, nil
	}
	return nil, no
}

// asksAddresses reports whether something may deny addresses.
func (p *Plane) asksAddresses() bool { return p.cfg.Rules != nil && p.cfg.Rules().Addresses }

// led asks about an address that a name leads to, in all its forms, until one is denied.
func (p *Plane) led(ctx context.Context, s decision.Subject, forms []permission) (d decision.Decision) {
	for _, m := range forms {
		if d = p.leads(ctx, s, m); d.Outcome == decision.Deny {
			break
		}
	}
	return d
}

// leads asks about an address that a name leads to.
//
// Security: denials of some requests there stop a connection into which nobody looks,
// and a request whose path may be one of theirs: neither is covered by them.
func (p *Plane) leads(ctx context.Context, s decision.Subject, m permission) decision.Decision {
	r := decision.Request{Subject: s, Capability: m.capability, Name: m.name, Why: hostOf(m.name) + " resolves to it", AnyPath: m.anyPath}
	if by, ok := p.mayBeDenied(m.capability, m.anyPath); ok {
		text := by.Display() + " denies some requests there, and over this connection nobody sees them; grant requests to it (net.connect:HOST/http:…)"
		if m.anyPath {
			text = "its path is written in a way that servers read differently, and may be one that " + by.Display() + " denies there"
		}
		return decision.Decision{Outcome: decision.Deny, Reasons: []decision.Reason{{Rule: decision.Denied, Text: text, By: by}}}
	}
	if p.cfg.Leads == nil {
		return decision.Failed(r, errors.New("there is nobody to decide"))
	}
	return p.cfg.Leads(ctx, r)
}

// asked is what is asked for by the target's name. Of a connection that is opened, each
// request is decided by itself.
func (t target) asked(opened bool) (capability.Capability, error) {
	c, err := t.capability()
	if opened && err == nil {
		return c.Narrow(nil, nil)
	}
	return c, err
}

// leadsTo is what is asked about an address to which the target's name leads, and about
// the IPv4 address in it, where c was allowed of the name.
func (t target) leadsTo(a netip.Addr, c capability.Capability, anyPath bool) (all []permission) {
	forms := []netip.Addr{address.Plain(a)}
	if inner, ok := address.Carried(a); ok {
		forms = append(forms, inner)
	}
	for _, a := range forms {
		var m permission // where it stays zero, whoever is asked about it denies
		if to, err := (target{addr: a, port: t.port, udp: t.udp}).capability(); err == nil {
			if there, ok := c.Toward(to); ok {
				m = permission{capability: there, name: c, anyPath: anyPath}
			}
		}
		all = append(all, m)
	}
	return all
}

// granted reports whether an address that a name led to is granted itself.
// Nobody is asked: the question that was answered was about the name.
func (p *Plane) granted(ctx context.Context, f *flow, t target, a netip.Addr, class address.Class) bool {
	if class == "" || class == address.Multicast || class == address.Unspecified {
		return false
	}
	c, err := target{addr: a, port: t.port, udp: t.udp}.capability()
	if err != nil {
		return false
	}
	r := decision.Request{
		Subject: p.subject(f), Capability: c,
		Why: fmt.Sprintf("%s resolves to %s, which is of the class %s", t.name, a, class),
	}
	_, ok := p.check(ctx, f, r, permission{capability: c, addr: true}, "")
	return ok
}
