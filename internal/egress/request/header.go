package request

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/egress/address"
)

// hop are headers that are about one connection, not the request (RFC 9110,
// section 7.6.1, and those that older programs send).
var hop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// without copies a header but for what is about one connection.
func without(h http.Header) http.Header {
	out := make(http.Header, len(h))
	copyWithout(out, h)
	return out
}

// copyWithout is without, into a header. Values are shared: whoever changes one puts
// another list in its place.
func copyWithout(out, h http.Header) {
	for name, values := range h {
		if !slices.Contains(hop, name) {
			out[name] = slices.Clip(values)
		}
	}
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
}

// leaveOut takes what is about one connection out of a header.
func leaveOut(h http.Header) {
	listed := h["Connection"]
	for _, name := range hop {
		delete(h, name)
	}
	for _, v := range listed {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// token reports whether one of a list's words is there, in whatever case.
func token(values []string, word string) bool {
	for _, v := range values {
		for w := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(w), word) {
				return true
			}
		}
	}
	return false
}

// upgrades reports whether a request asks to go on as a WebSocket. Other upgrades
// are not passed on: without the header servers answer as if it was not there.
func upgrades(r *http.Request) bool {
	return r.ProtoMajor == 1 && token(r.Header["Connection"], "upgrade") && token(r.Header["Upgrade"], "websocket")
}

// authority is the destination as it stands in a request.
func (d Destination) authority() string {
	host := d.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if d.Scheme == "https" && d.Port == 443 || d.Scheme == "http" && d.Port == 80 {
		return host
	}
	return net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port)))
}

// is compares what a request says that it is for. A port that is left out is not
// compared: the connection has one.
func (d Destination) is(text string) error {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	if port != "" && port != strconv.Itoa(int(d.Port)) {
		return fmt.Errorf("it asks for port %s", port)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if literal(d.Host) {
		if a, err := netip.ParseAddr(host); err != nil || address.Plain(a).String() != d.Host {
			return fmt.Errorf("it asks for %q", text)
		}
		return nil
	}
	if name, err := address.Name(host); err != nil || name != d.Host {
		return fmt.Errorf("it asks for %q", text)
	}
	return nil
}
