package port

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// OwnName is a name of loopback that no other program of this machine is usually
// called by: cookies do not tell ports apart, names they do.
const OwnName = "ambit.localhost"

// names are what the host may be called by.
type names struct {
	port  string
	exact []string // host names, lower case, with the port where it is not 443
}

func newNames(address string, more []string) (names, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return names{}, fmt.Errorf("the address %q: %w", address, err)
	}
	n := names{port: port}
	for _, name := range append([]string{host, "localhost", OwnName, "127.0.0.1", "::1"}, more...) {
		if h, p, err := net.SplitHostPort(name); err == nil {
			n.exact = append(n.exact, spell(h, p))
			continue
		}
		n.exact = append(n.exact, spell(strings.Trim(name, "[]"), port))
	}
	return n, nil
}

// spell is a host as browsers write it.
func spell(host, port string) string {
	host = strings.ToLower(host)
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() && !a.Is4In6() {
		host = "[" + a.WithZone("").String() + "]"
	}
	if port == "443" {
		return host
	}
	return host + ":" + port
}

// allowed reports whether a request is for this host.
//
// Security: a page can make its own name lead to this address (DNS rebinding), and is
// then of the same origin for the browser. Its requests have that name, and only names
// that somebody here gave, and the very address that the connection came to, are
// served: an address is no name that could lead elsewhere.
func (n names) allowed(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	if slices.Contains(n.exact, host) {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && host == spell(at.Addr().Unmap().WithZone("").String(), n.port)
}

// hostOf is a Host header without its port.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return strings.ToLower(h)
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// isLoopbackName reports whether a name always leads to this machine.
func isLoopbackName(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// addressOf is who is limited together: an address, or the network that one customer
// has with IPv6.
func addressOf(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	a := at.Addr().Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		if net, err := a.Prefix(64); err == nil {
			return net.String()
		}
	}
	return a.String()
}

// fromLoopback reports whether a request came over loopback.
func fromLoopback(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}
