package capability

import (
	"fmt"
	"strconv"
	"strings"
)

// ports is a range of ports, or the two of the web. The latter has no text: it
// is what a name without a port means, and can be had in no other way.
type ports struct {
	lo, hi uint16
	web    bool // 80 and 443; lo and hi are 0
}

var (
	webPorts = ports{web: true}
	allPorts = ports{lo: 1, hi: 65535}
)

// defaultPorts is what a port left out means: the web for a name, any port for
// addresses, which have no such habit.
func defaultPorts(p place) ports {
	if p.name != "" {
		return webPorts
	}
	return allPorts
}

// parsePorts reads PORT, LOW-HIGH or *.
func parsePorts(text string) (ports, *fault) {
	if text == "*" {
		return allPorts, nil
	}
	low, high, isRange := strings.Cut(text, "-")
	lo, f := parsePort(low)
	if f != nil || !isRange {
		return ports{lo: lo, hi: lo}, f
	}
	hi, f := parsePort(high)
	if f == nil && hi < lo {
		f = faultf(0, "expected a last port of at least %d", lo)
	}
	if f != nil {
		f.offset += len(low) + 1
	}
	return ports{lo: lo, hi: hi}, f
}

func (p ports) String() string {
	switch {
	case p == allPorts:
		return "*"
	case p.lo == p.hi:
		return strconv.Itoa(int(p.lo))
	default:
		return fmt.Sprintf("%d-%d", p.lo, p.hi)
	}
}

func (p ports) cover(o ports) bool {
	switch {
	case o.web:
		return p.has(80) && p.has(443)
	case p.web:
		return o.lo == o.hi && p.has(o.lo)
	default:
		return p.lo <= o.lo && o.hi <= p.hi
	}
}

func (p ports) has(port uint16) bool {
	if p.web {
		return port == 80 || port == 443
	}
	return p.lo <= port && port <= p.hi
}
