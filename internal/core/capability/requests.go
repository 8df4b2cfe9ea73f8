package capability

import (
	"net/netip"
	"slices"
	"strings"
)

// requests narrow a connection to some requests of HTTP. nil narrows nothing:
// the connection may carry anything. The zero value is any request.
type requests struct {
	methods []string // sorted, GET without HEAD, which it includes; nil: every method
	paths   []target // sorted by their texts, none within another; nil: every path
}

// marker parts a destination from the requests that it is narrowed to.
const marker = "/http"

// maxMethod bounds a method; the longest that is registered has 17 letters.
const maxMethod = 32

// parseRequests reads HOST[:PORT]/http[:METHODS][:PATHS]. ok is false for a text
// without requests.
func parseRequests(text string) (s scope, ok bool, f *fault) {
	at := strings.Index(text, marker)
	if at < 0 {
		return nil, false, nil
	}
	s, f = parseHost(text[:at])
	if f != nil {
		return nil, true, f
	}
	h := s.(host)
	at += len(marker)
	if h.http, f = parseRules(text[at:]); f != nil {
		f.offset += at
		return nil, true, f
	}
	return h, true, nil
}

// parseRules reads what follows the marker.
func parseRules(text string) (*requests, *fault) {
	r := &requests{}
	if text == "" {
		return r, nil
	}
	rest, ok := strings.CutPrefix(text, ":")
	if !ok {
		return nil, faultf(0, `expected ":" and methods such as GET,POST or paths such as /repos/**`)
	}
	at := len(":")
	if !strings.HasPrefix(rest, "/") {
		methods, paths, more := strings.Cut(rest, ":")
		if f := r.parseMethods(methods); f != nil {
			f.offset += at
			return nil, f
		}
		if !more {
			return r, nil
		}
		at, rest = at+len(methods)+len(":"), paths
	}
	if f := r.parsePaths(rest); f != nil {
		f.offset += at
		return nil, f
	}
	return r, nil
}

// parseMethods reads methods parted by commas, or * for all.
func (r *requests) parseMethods(text string) *fault {
	if text == "*" {
		return nil
	}
	at := 0
	for m := range strings.SplitSeq(text, ",") {
		if !Method(m) {
			return faultf(at, "expected a method in capitals such as GET, but not CONNECT or TRACE, or * for all")
		}
		r.methods = append(r.methods, m)
		at += len(m) + len(",")
	}
	slices.Sort(r.methods)
	r.methods = slices.Compact(r.methods)
	if slices.Contains(r.methods, "GET") {
		r.methods = slices.DeleteFunc(r.methods, func(m string) bool { return m == "HEAD" })
	}
	return nil
}

// Method reports whether a text is a method that can be permitted: in capitals,
// and not CONNECT or TRACE, which are never passed on.
func Method(m string) bool {
	return m != "" && len(m) <= maxMethod && m != "CONNECT" && m != "TRACE" && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// parsePaths reads patterns of paths parted by commas.
func (r *requests) parsePaths(text string) *fault {
	at, all := 0, false
	for p := range strings.SplitSeq(text, ",") {
		t, f := parseTarget(p)
		if f != nil {
			f.offset += at
			return f
		}
		all = all || t.any()
		r.paths = append(r.paths, t)
		at += len(p) + len(",")
	}
	if all {
		r.paths = nil
		return nil
	}
	slices.SortFunc(r.paths, func(a, b target) int { return strings.Compare(a.String(), b.String()) })
	r.paths = slices.CompactFunc(r.paths, func(a, b target) bool { return a.String() == b.String() })
	var kept []target // each says something that no other does
	for i, t := range r.paths {
		other := func(o target) bool { return o.String() != t.String() && o.covers(t) }
		if !slices.ContainsFunc(r.paths[i+1:], other) && !slices.ContainsFunc(kept, other) {
			kept = append(kept, t)
		}
	}
	r.paths = kept
	return nil
}

// String returns what stands behind the destination; "" for nil.
func (r *requests) String() string {
	if r == nil {
		return ""
	}
	text := marker
	if r.methods != nil {
		text += ":" + strings.Join(r.methods, ",")
	}
	if r.paths != nil {
		text += ":" + strings.Join(r.texts(), ",")
	}
	return text
}

func (r *requests) texts() []string {
	texts := make([]string, len(r.paths))
	for i, t := range r.paths {
		texts[i] = t.String()
	}
	return texts
}

// words says which requests are meant, for people.
func (r *requests) words() string {
	text := "requests"
	if r.methods != nil {
		text = strings.Join(r.methods, " and ") + " requests"
	}
	if r.paths != nil {
		text += " of " + strings.Join(r.texts(), " and ")
	}
	return text
}

// covers reports whether r permits every request that o permits, each by one
// path of it.
func (r *requests) covers(o *requests) bool {
	if r == nil || o == nil {
		return r == nil
	}
	method := func(m string) bool {
		return slices.Contains(r.methods, m) || m == "HEAD" && slices.Contains(r.methods, "GET")
	}
	path := func(t target) bool {
		return slices.ContainsFunc(r.paths, func(s target) bool { return s.covers(t) })
	}
	return (r.methods == nil || o.methods != nil && every(o.methods, method)) &&
		(r.paths == nil || o.paths != nil && every(o.paths, path))
}

func every[T any](all []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(all, func(v T) bool { return !holds(v) })
}

// flow returns the scope of a capability about connections.
func (c Capability) flow() (host, bool) {
	if c.kind != NetConnect && c.kind != NetStream {
		return host{}, false
	}
	r, _ := find(c.kind)
	return r.parsed(c.scope).(host), true
}

// Requests reports whether c permits requests of HTTP only, rather than any use
// of a connection.
func (c Capability) Requests() bool {
	h, ok := c.flow()
	return ok && h.http != nil
}

// Flow returns c without what narrows it to requests: the connection that they
// are made over.
func (c Capability) Flow() Capability {
	if h, ok := c.flow(); ok {
		h.http = nil
		c.scope = h.String()
	}
	return c
}

// Destination returns the connection that a flow, or a request over one, goes by:
// net.connect to one host and one port. ok is false for what may lead to several.
func (c Capability) Destination() (to Capability, ok bool) {
	h, isFlow := c.flow()
	single := h.where.addrs.IsValid() && h.where.addrs.IsSingleIP() || h.where.name != "" && !h.where.below
	if !isFlow || !single || h.ports.web || h.ports.lo != h.ports.hi {
		return Capability{}, false
	}
	h.http = nil
	return Capability{kind: NetConnect, scope: h.String()}, true
}

// AnyPath returns c with requests of every path in place of those of some.
func (c Capability) AnyPath() Capability {
	if h, ok := c.flow(); ok && h.http != nil {
		h.http = &requests{methods: h.http.methods}
		c.scope = h.String()
	}
	return c
}

// Hosts returns where c leads: every public host if anywhere is set, else a name, with
// below the names below it and not itself, or else addresses. ok is false for what
// is about no connections.
func (c Capability) Hosts() (name string, below bool, addrs netip.Prefix, anywhere, ok bool) {
	h, ok := c.flow()
	w := h.where
	return w.name, w.below, w.addrs, ok && w.any(), ok
}

// At returns what c permits of one connection: its requests, at the destination
// of flow, which has none. ok is false if c does not lead there.
func (c Capability) At(flow Capability) (at Capability, ok bool) {
	if !c.Flow().Covers(flow) {
		return Capability{}, false
	}
	return c.Toward(flow)
}

// Toward returns c for another destination: its requests, at that of flow, which has
// none. ok is false if one of them is about no connections.
func (c Capability) Toward(flow Capability) (there Capability, ok bool) {
	h, isFlow := c.flow()
	to, leads := flow.flow()
	if !isFlow || !leads || to.http != nil {
		return Capability{}, false
	}
	to.http = h.http
	return Capability{kind: c.kind, scope: to.String()}, true
}

// Narrow returns a connection that is narrowed to requests. Empty methods or
// paths narrow nothing. The error is a *SyntaxError.
func (c Capability) Narrow(methods, paths []string) (Capability, error) {
	if h, ok := c.flow(); !ok || h.udp || h.http != nil {
		return Capability{}, &SyntaxError{Text: c.String(), Offset: len(c.kind), Msg: "expected methods and paths only with net.connect or net.stream over TCP, and in one place"}
	}
	text := c.String() + marker
	if len(methods) > 0 {
		text += ":" + strings.Join(methods, ",")
	}
	if len(paths) > 0 {
		text += ":" + strings.ReplaceAll(strings.Join(paths, "\x00"), ",", "%2C")
	}
	return Parse(strings.ReplaceAll(text, "\x00", ","))
}

// Asked returns the capability for one request over a connection, with its path as
// it was sent. plain is false if that has no plain form.
func (c Capability) Asked(method, path string) (asked Capability, plain bool, err error) {
	path, plain = Target(path)
	rules := marker + ":" + method
	if plain {
		rules += ":" + path
	}
	// The text is canonical as it is put together, if it can be.
	if c.kind != NetConnect && c.kind != NetStream || c.scope == "" || strings.Contains(c.scope, marker) || strings.HasSuffix(c.scope, "/udp") ||
		!Method(method) || len(c.kind)+len(c.scope)+len(rules) >= maxText {
		asked, err = c.Request(method, path)
		return asked, plain, err
	}
	return Capability{kind: c.kind, scope: c.scope + rules}, plain, nil
}

// Request returns the capability for one request over a connection: its method,
// and its path as Target returns it. A path "" stands for one that has no plain
// form; it is covered only by what permits every path.
func (c Capability) Request(method, path string) (Capability, error) {
	if path == "" {
		return c.Narrow([]string{method}, nil)
	}
	return c.Narrow([]string{method}, []string{path})
}
