package capability

import (
	"net/netip"
	"slices"
	"strings"
)

// Ranges that are not public. "*" never covers them: each has to be named.
// Sources: the IANA special-purpose registries (RFC 6890 and successors).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo, documentation, 6to4
	"168.63.129.16/32", // metadata, in a public range
)

// global is the only part of IPv6 that is handed out for public use.
var global = netip.MustParsePrefix("2000::/3")

// Metadata services of the clouds: whoever reaches one has the machine's
// credentials. A wider range does not include them, they are named themselves.
var metadata = prefixes(
	"169.254.169.254/32", "169.254.170.0/24", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public reports whether net.connect:* covers an address: it is not loopback,
// private, link-local, shared, multicast, reserved, for documentation, a tunnel
// to any of those, or a metadata service.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && publicRange(netip.PrefixFrom(addr.WithZone(""), addr.BitLen()))
}

func publicRange(p netip.Prefix) bool {
	if p.Addr().Is6() && !within(p, global) {
		return false
	}
	return !slices.ContainsFunc(special, p.Overlaps)
}

func within(p, outer netip.Prefix) bool {
	return outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
}

func rangeCovers(p, o netip.Prefix) bool {
	return within(o, p) && (!isMetadata(o) || isMetadata(p))
}

func isMetadata(p netip.Prefix) bool {
	return slices.ContainsFunc(metadata, func(m netip.Prefix) bool { return within(p, m) })
}

// parseAddrs reads an address or a CIDR range, in brackets or not.
func parseAddrs(text string) (netip.Prefix, *fault) {
	at := 0
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(rest, "]"); !ok {
			return netip.Prefix{}, faultf(1+len(rest), "expected \"]\" after the address")
		}
		at = 1
	}
	p, msg := readAddrs(text)
	switch {
	case msg != "":
		return p, faultf(at, "%s", msg)
	case at == 1 && !p.Addr().Is6() && !strings.Contains(text, ":"):
		return p, faultf(at, "expected an IPv6 address inside brackets")
	}
	return p, nil
}

// readAddrs makes one spelling of each range: IPv4 inside IPv6 becomes IPv4,
// and bits beyond the mask become 0.
func readAddrs(text string) (netip.Prefix, string) {
	p, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(text); err == nil && addr.Zone() != "" {
			return p, "expected an address without a zone"
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	if err != nil {
		return p, "expected an address such as 192.0.2.7 or [2001:db8::7], or a range such as 192.0.2.0/24; " +
			"octal, hexadecimal and shortened forms are not accepted"
	}
	if addr := p.Addr(); addr.Is4In6() {
		if p.Bits() < 96 {
			return p, "expected a range of IPv4 addresses in its IPv4 form"
		}
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return p, "expected less than every address; * stands for all public ones"
	}
	return p.Masked(), ""
}

func addrsText(p netip.Prefix) string {
	text := p.String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	if p.Addr().Is6() {
		return "[" + text + "]"
	}
	return text
}
