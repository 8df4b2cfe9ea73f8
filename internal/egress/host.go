//go:build linux

package egress

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// hostAddresses knows the addresses of the host, and the networks that are
// attached to it by bridges and tunnels of its own: containers and virtual
// machines answer there.
type hostAddresses struct {
	mu   sync.Mutex
	all  []netip.Prefix // guarded by mu
	read time.Time      // guarded by mu
}

// hostFresh is how long what was read is taken for true: containers come up at
// any time.
const hostFresh = 2 * time.Second

func newHostAddresses() *hostAddresses { return &hostAddresses{} }

// get returns the addresses. Where they cannot be read any more, those that were
// read last stand.
func (h *hostAddresses) get() []netip.Prefix {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.read) < hostFresh {
		return h.all
	}
	h.read = time.Now()
	if all, err := readHostAddresses(); err == nil {
		h.all = all
	}
	return h.all
}

func readHostAddresses() ([]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, ok := netip.AddrFromSlice(n.IP)
			if !ok {
				continue
			}
			addr = addr.Unmap()
			bits, _ := n.Mask.Size()
			if !attached(i.Name) {
				bits = addr.BitLen()
			}
			all = append(all, netip.PrefixFrom(addr, bits).Masked())
		}
	}
	return all, nil
}
