package capability

import (
	"net/netip"
	"strings"
)

// host is a destination: where, on which ports, over TCP or UDP, and for which
// requests.
type host struct {
	where place
	ports ports
	udp   bool
	http  *requests // nil: for anything
}

// place is any public address ("*"), a name, every name below one ("*."), or a
// range of addresses. Exactly one of name and addrs is set, or neither for "*".
type place struct {
	name  string // lower case, no trailing dot
	below bool   // names below name, not name itself
	addrs netip.Prefix
}

func (p place) any() bool { return p.name == "" && !p.addrs.IsValid() }

// parseHost reads HOST[:PORT].
func parseHost(text string) (scope, *fault) {
	where, port, at, f := splitHost(text)
	if f != nil {
		return nil, f
	}
	h := host{}
	if h.where, f = parsePlace(where); f != nil {
		return nil, f
	}
	h.ports = defaultPorts(h.where)
	if at > 0 {
		if h.ports, f = parsePorts(port); f != nil {
			f.offset += at
			return nil, f
		}
	}
	return h, nil
}

// parseStream reads HOST[:PORT], or that with requests.
func parseStream(text string) (scope, *fault) {
	if s, ok, f := parseRequests(text); ok {
		return s, f
	}
	return parseHost(text)
}

// parseFlow reads HOST[:PORT][/udp], or HOST[:PORT] with requests.
func parseFlow(text string) (scope, *fault) {
	if s, ok, f := parseRequests(text); ok {
		return s, f
	}
	text, udp := strings.CutSuffix(text, "/udp")
	if !udp {
		text = strings.TrimSuffix(text, "/tcp")
	}
	s, f := parseHost(text)
	if f != nil {
		return nil, f
	}
	h := s.(host)
	h.udp = udp
	return h, nil
}

// splitHost cuts the port off; at is where it begins, 0 if there is none. An
// IPv6 address stands in brackets if a port follows.
func splitHost(text string) (where, port string, at int, f *fault) {
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		switch {
		case end < 0:
			return "", "", 0, faultf(len(text), "expected \"]\" after the address")
		case end == len(text)-1:
			return text, "", 0, nil
		case text[end+1] != ':':
			return "", "", 0, faultf(end+1, "expected \":\" and a port after \"]\"")
		}
		return text[:end+1], text[end+2:], end + 2, nil
	}
	colon := strings.IndexByte(text, ':')
	if colon < 0 || strings.IndexByte(text[colon+1:], ':') >= 0 { // none, or an IPv6 address
		return text, "", 0, nil
	}
	return text[:colon], text[colon+1:], colon + 1, nil
}

func parsePlace(text string) (place, *fault) {
	if text == "*" {
		return place{}, nil
	}
	if name, ok := strings.CutPrefix(text, "*."); ok {
		name, f := parseName(name)
		if f == nil && internal(name) {
			f = faultf(0, "expected a public name; names below %s are granted one by one", name)
		}
		if f != nil {
			f.offset += len("*.")
		}
		return place{name: name, below: true}, f
	}
	if strings.ContainsAny(text, ":/[") || numeric(text) {
		addrs, f := parseAddrs(text)
		return place{addrs: addrs}, f
	}
	name, f := parseName(text)
	return place{name: name}, f
}

func (h host) String() string {
	var text string
	switch w := h.where; {
	case w.any():
		text = "*"
	case w.below:
		text = "*." + w.name
	case w.name != "":
		text = w.name
	default:
		text = addrsText(w.addrs)
	}
	if h.ports != defaultPorts(h.where) {
		text += ":" + h.ports.String()
	}
	if h.udp {
		text += "/udp"
	}
	return text + h.http.String()
}

// words are String for people, who should not have to know what * is.
func (h host) words() string {
	to := h
	to.http = nil
	text := to.String()
	if h.where.any() {
		text = "any public address" + strings.TrimPrefix(text, "*")
	}
	if h.http == nil {
		return text
	}
	return text + " for " + h.http.words()
}

func (h host) Covers(o scope) bool {
	p := o.(host)
	return h.udp == p.udp && h.ports.cover(p.ports) && h.where.covers(p.where) && h.http.covers(p.http)
}

// covers keeps names and addresses apart: which address a name has is found out
// when it is dialled, and checked there.
func (p place) covers(o place) bool {
	switch {
	case p.any() && o.addrs.IsValid():
		return publicRange(o.addrs)
	case p.any():
		return o.any() || o.below || !local(o.name)
	case p.addrs.IsValid():
		return o.addrs.IsValid() && rangeCovers(p.addrs, o.addrs)
	case p.below && o.below:
		return o.name == p.name || strings.HasSuffix(o.name, "."+p.name)
	case p.below:
		return strings.HasSuffix(o.name, "."+p.name) && !local(o.name)
	default:
		return !o.below && p.name == o.name
	}
}

// Broad marks any address, all of a top-level domain, and large networks.
func (h host) Broad() bool {
	w := h.where
	if w.addrs.IsValid() {
		wide := 16
		if w.addrs.Addr().Is6() {
			wide = 48
		}
		return w.addrs.Bits() < wide
	}
	return w.any() || w.below && !strings.Contains(w.name, ".")
}
