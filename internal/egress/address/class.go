package address

import (
	"net/netip"
	"slices"
)

// Class is the kind of network that an address belongs to. Only Public is
// reached by a grant for a name or for any host; the zero Class is refused.
type Class string

// The classes.
const (
	Public      Class = "public"
	Loopback    Class = "loopback"
	Metadata    Class = "metadata" // credentials of the machine, by clouds' conventions
	LinkLocal   Class = "link-local"
	Private     Class = "private"
	Shared      Class = "shared" // behind a carrier's address translation
	Multicast   Class = "multicast"
	Unspecified Class = "unspecified"
	Special     Class = "special" // reserved, for documentation, tunnels
	Host        Class = "host"    // the host's own, and what is directly attached by a bridge of it
)

// kin are the ranges of one class.
type kin struct {
	class  Class
	ranges []netip.Prefix
}

// table in order: the first range that has an address says its class. Sources:
// the IANA special-purpose registries (RFC 6890 and successors); documents of
// Amazon, Google, Azure, Alibaba and Oracle for metadata.
var table = []kin{
	{Metadata, ranges("169.254.169.254/32", "169.254.170.0/24", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32")},
	{Loopback, ranges("127.0.0.0/8", "::1/128")},
	{Unspecified, ranges("0.0.0.0/8", "::/128")},
	{LinkLocal, ranges("169.254.0.0/16", "fe80::/10")},
	{Private, ranges("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")},
	{Shared, ranges("100.64.0.0/10")},
	{Multicast, ranges("224.0.0.0/4", "ff00::/8")},
	{Special, ranges(
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16", "64:ff9b:1::/48", "::/96",
	)},
}

// global is the only part of IPv6 that is handed out for public use.
var global = netip.MustParsePrefix("2000::/3")

func ranges(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// carriers are ranges of IPv6 whose addresses carry an IPv4 address, to which
// packets for them are sent.
var carriers = []struct {
	prefix netip.Prefix
	at     int // byte where the IPv4 address begins
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible (RFC 4291)
}

// Carried returns the IPv4 address that an IPv6 address leads to.
func Carried(a netip.Addr) (netip.Addr, bool) {
	a = Plain(a)
	if a.Is4() {
		return a, false
	}
	b := a.As16()
	for _, c := range carriers {
		if c.prefix.Contains(a) {
			return netip.AddrFrom4([4]byte(b[c.at : c.at+4])), true
		}
	}
	return netip.Addr{}, false
}

// Of says the class of an address. host are the host's own addresses, and the
// networks of its bridges.
//
// Security: the address is the one that is dialled, not the text it came from.
// An address that carries another is judged by that one. Where that one is
// public, a NAT64 leads there; the other carriers are tunnels, and Special.
func Of(a netip.Addr, host ...netip.Prefix) Class {
	a = Plain(a)
	if !a.IsValid() {
		return ""
	}
	class := rangeOf(a)
	if inner, ok := Carried(a); ok && class == Special {
		if c := Of(inner, host...); c != Public || nat64(a) {
			return c
		}
	}
	if class != Public && class != Private && class != Shared {
		return class
	}
	for _, p := range host {
		if p.Contains(a) {
			return Host
		}
	}
	return class
}

func nat64(a netip.Addr) bool { return carriers[0].prefix.Contains(a) }

func rangeOf(a netip.Addr) Class {
	for _, k := range table {
		if slices.ContainsFunc(k.ranges, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return k.class
		}
	}
	if a.Is6() && !global.Contains(a) {
		return Special
	}
	return Public
}
