// Package address makes one spelling of each name and address, and says what
// kind of network an address belongs to.
//
// Whatever leads to an address (a literal in any notation, a name, an answer
// from a resolver, an IPv4 address inside an IPv6 one) passes through here
// before it is compared or dialled, so that no spelling has a verdict of its
// own. The package decides nothing: it says "loopback", others refuse.
//
// Invariants, held by the tests of the same names:
//
//   - Name and Parse are idempotent, and no text is both a name and an address.
//   - An address has the class of the IPv4 address that it carries.
//   - What Of calls public, net.connect:* covers, but for addresses of a NAT64.
//
// It is pure: it looks nothing up and reads nothing of the host.
package address

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// ErrNotAddress says that a text is no address in any notation.
var ErrNotAddress = errors.New("not an address")

// Parse reads an address in every notation that some resolver takes: IPv4 with
// one to four parts in decimal, octal and hexadecimal (inet_aton(3)), IPv6 with
// brackets or without. IPv4 inside ::ffff:0:0/96 becomes IPv4. A zone is an
// error: it names an interface of whoever reads it.
func Parse(text string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(inner, ":") {
			return netip.Addr{}, fmt.Errorf("%w: %q", ErrNotAddress, text)
		}
		text = inner
	}
	if strings.Contains(text, ":") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Addr{}, fmt.Errorf("%w: %q", ErrNotAddress, text)
		}
		return Plain(a), nil
	}
	return parse4(text)
}

// Plain makes one form of equal addresses: IPv4-mapped becomes IPv4, and a zone
// is taken off.
func Plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parse4 is inet_aton(3): the last part fills all bytes that are left.
func parse4(text string) (netip.Addr, error) {
	bad := fmt.Errorf("%w: %q", ErrNotAddress, text)
	parts := strings.Split(strings.TrimSuffix(text, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, bad
	}
	var v uint64
	for i, p := range parts {
		n, ok := number(p)
		left := 8 * (4 - len(parts) + 1) // bits of the last part
		switch last := i == len(parts)-1; {
		case !ok, !last && n > math.MaxUint8, last && n>>left != 0:
			return netip.Addr{}, bad
		case last:
			v = v<<left | n
		default:
			v = v<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), nil
}

// number reads one part: 0x… is hexadecimal, 0… octal. A bare 0x is 0, as some
// readers of URLs have it (WHATWG URL, IPv4 number parser).
func number(p string) (uint64, bool) {
	base := 10
	switch {
	case len(p) >= 2 && p[0] == '0' && p[1]|0x20 == 'x':
		if p, base = p[2:], 16; p == "" {
			return 0, true
		}
	case len(p) >= 2 && p[0] == '0':
		p, base = p[1:], 8
	}
	if strings.ContainsAny(p, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(p, base, 33)
	return n, err == nil && n <= math.MaxUint32
}

// Numeric reports whether a text ends like an IPv4 address: some resolver would
// take it for one, so it is never a name (WHATWG URL, ends in a number).
func Numeric(text string) bool {
	text = strings.TrimSuffix(text, ".")
	last := text[strings.LastIndexByte(text, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := number(last)
	return ok
}
