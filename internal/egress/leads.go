//go:build linux

package egress

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/address"
	"ambit.dev/ambit/internal/egress/request"
)

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

// Leads decides about a request that was allowed of the connection's name, by the address
// to which Dial has connected: whether that is denied, for this request.
//
// Security: a connection whose requests are decided so goes to one address; one that went
// to several before anything was about addresses carries no more requests. Grants that
// change after this end the flow (restsOf): it rests on the request since Decide, and it
// is known where it was connected to.
func (o *openFlow) Leads(ctx context.Context, a request.Ask) request.Answer {
	p, f := o.plane, o.flow
	if o.target.name == "" || !p.asksAddresses() {
		return request.Answer{Allowed: true}
	}
	c, odd, err := o.capability(a)
	if err != nil {
		return request.Answer{Why: err.Error()}
	}
	f.mu.Lock()
	at, several := f.told.Dialled.Addr(), f.several
	f.mu.Unlock()
	if several {
		return request.Answer{Capability: c.Display(), Reason: string(Withdrawn), Why: severalAddresses}
	}
	d := p.led(ctx, p.subject(f), o.target.leadsTo(at, c, odd))
	if d.Outcome != decision.Deny {
		return request.Answer{Allowed: true}
	}
	answer := request.Answer{Decision: d.Request, Capability: c.Display(), Reason: string(NotGranted), Why: o.target.name + " resolves to " + at.String() + ": " + reason(d)}
	if len(d.Reasons) > 0 {
		answer.Fix = d.Reasons[0].Fix
	}
	return answer
}

// severalAddresses is why a connection ends that rules about addresses came for.
const severalAddresses = "it led to several addresses, about which rules are now"

// mayBeDenied finds a denial that is about some requests among those of c, and which of
// them are made nobody sees: over a connection that is passed through, or with a path
// that may be any.
func (p *Plane) mayBeDenied(c capability.Capability, anyPath bool) (by capability.Capability, ok bool) {
	if p.cfg.Rules == nil || c.Requests() && !anyPath {
		return by, false
	}
	for _, d := range p.cfg.Rules().Deny {
		if anyPath && slices.ContainsFunc(c.Parts(), d.AnyPath().Covers) || !anyPath && d.Flow().Covers(c) {
			return d, true
		}
	}
	return by, false
}
