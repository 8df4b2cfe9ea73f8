package enforce

import (
	"net/netip"
	"os"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// LinkPlan is the one link of a sandbox that has a network: the addresses of its
// ends. Whoever holds the other end is the network.
type LinkPlan struct {
	Guest, Gateway   netip.Prefix // IPv4: the sandbox's own address, and where it sends everything
	Guest6, Gateway6 netip.Prefix // IPv6
	// Tun has packets go by a tun device, for which /dev/net/tun has to open; else
	// they go by a veth pair and a packet socket, which take nothing but the
	// namespaces. What can be reached is the same; a tun device is quicker.
	Tun bool `json:",omitempty"`
	// Late has the link made with the first socket that could use it, which waits for
	// it. Only plans that ask have that.
	Late bool `json:",omitempty"`
}

// LinkAtStart is the link that is made with the sandbox; nil where there is none, or
// where it is made later.
func (p Plan) LinkAtStart() *LinkPlan {
	if p.Link == nil || p.Link.Late {
		return nil
	}
	return p.Link
}

// Way is how packets go between the sandbox and its network.
func (p LinkPlan) Way() string {
	if p.Tun {
		return "a tun device"
	}
	return "a veth pair and a packet socket"
}

// passedOn are the types of record that can be looked up (RFC 1035, RFC 3596,
// RFC 2782). Those that carry keys or other addresses (HTTPS, SVCB) are not: by
// them a program could go around what was decided about names.
var passedOn = []string{"A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"}

// records refuses lookups of records that nothing passes on.
func records(c capability.Capability) error {
	if c.Kind() != capability.DNSLookup {
		return nil
	}
	_, types, _ := strings.Cut(c.Scope(), "/")
	for t := range strings.SplitSeq(types, ",") {
		if t != "*" && !slices.Contains(passedOn, t) {
			return &CannotEnforce{c.Display(), "records of the type " + t + " are not passed on; those of " + strings.Join(passedOn, ", ") + " are"}
		}
	}
	return nil
}

// Ends is the other end of a sandbox's link, as descriptors that are bound to
// the sandbox's network namespace, where that is the host's. Whoever is given one
// closes it.
type Ends struct {
	Frames *os.File    // what the sandbox sends, and where answers go
	Diag   *os.File    // tells which sockets the sandbox has; nil where its kernel is another one
	Seeds  [4]*os.File // unconnected TCP sockets of the sandbox, two for IPv4 and two for IPv6; nil without it, and without Diag
	Header bool        // a virtio_net header goes before each frame
	Ether  bool        // frames are Ethernet's
	MTU    uint32      // of the link, in bytes
	Guest  []byte      // link address of the sandbox's end
}

// Close closes all of it.
func (l *Ends) Close() error {
	var failed error
	for _, f := range append([]*os.File{l.Frames, l.Diag}, l.Seeds[:]...) {
		if f == nil {
			continue
		}
		if err := f.Close(); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// A Networker takes over the other end of a sandbox's link, before its program
// begins. When it returns, packets are answered, or wait to
// be. An error stops the launch.
type Networker interface {
	Linked(l *Ends) error
}
