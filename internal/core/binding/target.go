package binding

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// Target is one destination of requests.
type Target struct {
	Scheme string
	Host   string // canonical: a name, or an address without brackets
	Port   uint16
}

// ParseTarget reads [https://|http://]HOST[:PORT]. Plain HTTP is for the
// loopback of the host alone: on any other way everybody reads along.
func ParseTarget(text string) (Target, error) {
	t := Target{Scheme: HTTPS, Port: 443}
	rest, ok := strings.CutPrefix(text, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "http://"); ok {
			t.Scheme, t.Port = HTTP, 80
		}
	}
	c, err := capability.Parse(string(capability.SecretUse) + ":x@" + rest)
	if err != nil {
		return Target{}, fmt.Errorf("%s is not a destination such as api.github.com or api.github.com:8443", capability.Printable(text))
	}
	_, where, _ := strings.Cut(c.Scope(), "@")
	if t.Host, t.Port, err = split(where, t.Port); err != nil {
		return Target{}, err
	}
	if t.Scheme == HTTP && !loopback(t.Host) {
		return Target{}, fmt.Errorf("plain HTTP shows a secret to everybody on the way; it goes to %s or an address such as 127.0.0.1 only", HostLoopback)
	}
	return t, nil
}

// split parts a canonical host from its port.
func split(where string, port uint16) (string, uint16, error) {
	host, after, found := where, "", false
	if in, ok := strings.CutPrefix(where, "["); ok {
		host, after, _ = strings.Cut(in, "]")
		after, found = strings.CutPrefix(after, ":")
	} else if strings.Count(where, ":") == 1 {
		host, after, found = strings.Cut(where, ":")
	}
	if found {
		n, err := strconv.ParseUint(after, 10, 16)
		if err != nil {
			return "", 0, errors.New("a secret is bound to one port")
		}
		port = uint16(n)
	}
	if strings.ContainsAny(host, "*/") {
		return "", 0, errors.New("a secret is bound to one host, not to several")
	}
	return host, port, nil
}

// loopback reports whether a host can only be the loopback of the host.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == HostLoopback || err == nil && a.IsLoopback()
}

// String is the destination as a URL.
func (t Target) String() string { return t.Scheme + "://" + join(t.Host, t.Port) }
