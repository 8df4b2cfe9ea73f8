//go:build linux

package egress

import (
	"context"
	"fmt"
	"net/netip"

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
