package authority

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// maxNames bounds the names and the addresses of one authority. Each makes its
// certificate longer, which goes with every handshake; clients bound it too.
const maxNames = 1024

// Names are those for whom an authority issues certificates. The zero value is
// nobody.
type Names struct {
	Any   bool           // everybody
	Names []string       // each with all that is below it, as constraints of names are
	Addrs []netip.Prefix // ranges of addresses
}

// constrain writes the names into the certificate of an issuer (RFC 5280, section
// 4.2.1.10).
func (n Names) constrain(c *x509.Certificate) error {
	switch {
	case n.Any:
		return nil
	case len(n.Names)+len(n.Addrs) > maxNames:
		return fmt.Errorf("connections to more than %d hosts would be opened: use fewer rules for requests, or wider ones", maxNames)
	}
	c.PermittedDNSDomainsCritical = true
	c.PermittedDNSDomains = slices.Clone(n.Names)
	if len(n.Names) == 0 { // without any, every name would be permitted
		c.PermittedDNSDomains = []string{"invalid"} // which nobody has (RFC 6761)
	}
	for _, p := range n.Addrs {
		c.PermittedIPRanges = append(c.PermittedIPRanges, ipNet(p))
	}
	if len(n.Addrs) == 0 {
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			c.ExcludedIPRanges = append(c.ExcludedIPRanges, ipNet(netip.MustParsePrefix(all)))
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// cover reports whether certificates are issued for a host, a name or an address
// in its text.
func (n Names) cover(host string) bool {
	if n.Any {
		return true
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return slices.ContainsFunc(n.Addrs, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return slices.ContainsFunc(n.Names, func(name string) bool { return host == name || strings.HasSuffix(host, "."+name) })
}
