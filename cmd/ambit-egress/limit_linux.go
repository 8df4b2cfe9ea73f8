package main

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/request/authority"
	"ambit.dev/ambit/internal/egress/wire"
)

// limit has the authority speak for those hosts whose connections will be opened,
// and for no others from then on.
func (l *launcher) limit(h wire.Hello) error {
	var names authority.Names
	for _, c := range slices.Concat(h.Rules.Permit, h.Rules.Deny) {
		add(&names, c)
	}
	for _, s := range h.Secrets {
		if a, err := netip.ParseAddr(s.Binding.Host); err == nil {
			names.Addrs = append(names.Addrs, netip.PrefixFrom(a, a.BitLen()))
		} else {
			names.Names = append(names.Names, s.Binding.Host)
		}
	}
	slices.Sort(names.Names)
	names.Names = slices.Compact(names.Names)
	slices.SortFunc(names.Addrs, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	names.Addrs = slices.Compact(names.Addrs)
	return l.authority.Limit(names, time.Now())
}

// add adds where a capability leads. A certificate's constraint cannot leave out
// the name itself above the names below.
func add(names *authority.Names, c capability.Capability) {
	name, _, addrs, anywhere, ok := c.Hosts()
	switch {
	case !ok:
	case anywhere:
		names.Any = true
	case addrs.IsValid():
		names.Addrs = append(names.Addrs, addrs)
	default:
		names.Names = append(names.Names, name)
	}
}
