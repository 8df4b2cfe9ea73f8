// Package name is the name server of a sandbox: it answers lookups itself and
// passes none on, unless exactly that was granted.
//
// Each name that may be known gets an address of its own, from a range that no
// real service uses, so that the destination of a connection says exactly which
// name the program asked for. Which real address the name has is found out by
// the host, when and if the connection was permitted; until then nothing about
// the name leaves the machine, and a lookup carries nothing out.
//
// Invariants:
//
//   - One address means one name; it means another only after it had no
//     connection and no lookup for ten times the lifetime of an answer.
//   - The table is bounded. What does not fit is answered "server failure".
//   - Only A records lead anywhere. Records that carry other addresses or keys
//     (AAAA, HTTPS, SVCB) are answered as absent, and so are records that carry
//     text, but for those that were granted by name and type.
//   - A query that is not one plain question gets an error or nothing.
//
// The package knows neither grants nor packets: what may be known is a function
// that it is given, and it is served over connections that it is given.
package name

import (
	"net/netip"
	"time"

	"golang.org/x/net/publicsuffix"

	"ambit.dev/ambit/internal/egress/address"
)

// Pool has the addresses that stand for names (RFC 2544, benchmarking). Link is
// the part of it that is the sandbox's own link.
var (
	Pool = netip.MustParsePrefix("198.18.0.0/15")
	Link = netip.MustParsePrefix("198.19.255.0/24")
)

// TTL is what answers say; Grace is how long an address that nobody uses keeps
// its name.
const (
	TTL   = 60 * time.Second
	Grace = 10 * TTL
)

// Within reports whether a wildcard below base may stand for name: name lies
// below base by whole labels, and no boundary of registration lies at or below
// base on the way. So *.com, *.github.io and, for a bucket of somebody else,
// *.amazonaws.com stand for nothing.
func Within(base, name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return address.Under(name, base) && address.Under(base, suffix)
}

// Suffix reports whether base is a name below which anybody may register: a
// wildcard there is never meant.
func Suffix(base string) bool { return !Within(base, "x."+base) }
