//go:build linux

package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/address"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/name"
)

// A target is what a flow leads to: a name, or an address that was given as one.
type target struct {
	name string
	addr netip.Addr // not valid with a name
	port uint16
	udp  bool
}

// A refusal says why a flow is not to be.
type refusal struct {
	end   End
	why   string
	times int  // how often it was repeated since it was last told
	again bool // it is such a repetition
}

func refuse(end End, format string, a ...any) *refusal {
	return &refusal{end: end, why: fmt.Sprintf(format, a...)}
}

// A permission is what was allowed for a flow, to be asked for again.
type permission struct {
	capability capability.Capability
	addr       bool                  // it is for an address that has to be granted by itself
	anyPath    bool                  // it is for one request, whose path may be any
	name       capability.Capability // set: it is for an address that this leads to, which must not be denied
}

// locate finds what a destination of the sandbox stands for. release is called
// when the flow has ended.
//
// Security: an address of the pool means the one name that it was given out for,
// and nothing without one. Other addresses lose their spelling here: IPv4 inside
// IPv6 is judged, and dialled, as IPv4.
func (p *Plane) locate(to netip.AddrPort, udp bool) (t target, release func(), r *refusal) {
	t, release = target{port: to.Port(), udp: udp}, func() {}
	a := address.Plain(to.Addr())
	switch {
	case to.Port() == 0:
		return t, release, refuse(NotGranted, "there is no port 0")
	case name.Link.Contains(a), Gateway6.Masked().Contains(a):
		return t, release, refuse(NotGranted, "%s is the link itself", a)
	case name.Pool.Contains(a):
		n, done, ok := p.names.Hold(a)
		if !ok {
			return t, release, refuse(NotGranted, "%s stands for no name", a)
		}
		t.name = n
		return t, done, nil
	}
	if inner, ok := address.Carried(a); ok {
		a = inner
	}
	if c := address.Of(a); c == address.Multicast || c == address.Unspecified {
		return t, release, refuse(Class, "%s is of the class %s", a, c)
	}
	if a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return t, release, refuse(Class, "%s is everybody", a)
	}
	t.addr = a
	return t, release, nil
}

// capability is what is asked for.
func (t target) capability() (capability.Capability, error) {
	host := t.name
	if host == "" {
		host = addressText(t.addr)
	}
	text := fmt.Sprintf("net.connect:%s:%d", host, t.port)
	if t.udp {
		text += "/udp"
	}
	return capability.Parse(text)
}

func addressText(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// decide decides about a flow, with a person's help where one has to be asked.
// Nothing has been answered to the sandbox yet.
func (p *Plane) decide(ctx context.Context, f *flow, t target, at inside.Flow) *refusal {
	c, err := t.capability()
	if err != nil {
		return refuse(NotGranted, "internal error: %v", err)
	}
	if r := p.refused.find(c); r != nil {
		return r
	}
	f.mu.Lock()
	f.told.Capability = c
	f.mu.Unlock()
	r := p.put(ctx, f, c, t, at)
	if r != nil && r.end != GaveUp && r.end != TooMany && r.end != Stopped {
		p.refused.keep(c, r)
	}
	return r
}

// subject is who asks: the session, and the program as far as it is known.
func (p *Plane) subject(f *flow) decision.Subject {
	s := p.cfg.Subject
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told.Program.Name != "" {
		s.Program = f.told.Program.Name
	}
	return s
}

// put puts the request, asks where that is the answer, and puts it again.
func (p *Plane) put(ctx context.Context, f *flow, c capability.Capability, t target, at inside.Flow) *refusal {
	must := p.must(c, t)
	request := decision.Request{Subject: p.subject(f), Capability: c, CanAsk: p.cfg.Asker != nil}
	d, ok := p.check(ctx, f, request, must, t.name)
	if ok {
		return nil
	}
	if d.Outcome != decision.Ask {
		return refuse(NotGranted, "%s", reason(d))
	}
	if p.identify(f, at, true); request.Subject.Program == "" {
		request.Subject = p.subject(f)
	}
	request.ID = d.Request
	switch err := p.ask(ctx, Question{Request: request, Flow: f.snapshot()}); {
	case errors.Is(err, errTooMany):
		return refuse(TooMany, "%v", err)
	case context.Cause(ctx) != nil:
		return gone(ctx)
	case err != nil:
		return refuse(NoAnswer, "%v", err)
	}
	request.ID, request.CanAsk = "", false
	if d, ok = p.check(ctx, f, request, must, t.name); !ok {
		return refuse(Refused, "%s", reason(d))
	}
	return nil
}

// gone is why nobody waits any more.
func gone(ctx context.Context) *refusal {
	if errors.Is(context.Cause(ctx), errGone) {
		return refuse(GaveUp, "the program gave up")
	}
	return refuse(Stopped, "")
}

// check puts one request, and notes what came of it.
func (p *Plane) check(ctx context.Context, f *flow, r decision.Request, m permission, n string) (decision.Decision, bool) {
	d, use, ok := p.judge(ctx, r, m, n)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told.Decision == "" || d.Outcome == decision.Allow {
		f.told.Decision = d.Request
	}
	if ok && !slices.Contains(f.rests, m) {
		f.rests = append(f.rests, m)
	}
	if use != 0 {
		f.told.Again++
	}
	return d, ok
}

// judge puts one request, unless an answer to it is remembered; use is the number
// of that use, or 0.
//
// Security: what is remembered is asked the same questions as what is answered now.
func (p *Plane) judge(ctx context.Context, r decision.Request, m permission, n string) (d decision.Decision, use uint64, ok bool) {
	if d, by, use, ok := p.memory.find(r.Capability); ok && by.allows(m, n) {
		return d, use, true
	}
	if p.cfg.Checker == nil {
		return decision.Failed(r, errors.New("there is nobody to decide")), 0, false
	}
	turn := p.memory.begin()
	d = p.cfg.Checker.Check(ctx, r)
	p.memory.keep(turn, r.Capability, d)
	switch {
	case d.Outcome != decision.Allow:
		return d, 0, false
	case !allows(d, m, n):
		return decision.Failed(r, fmt.Errorf("%s is too wide for it", covering(d).Display())), 0, false
	}
	return d, 0, true
}

// allows reports whether an answer is Allow, and what allows means what it leads
// to: a wildcard no name beyond a boundary of registration, and "any host" no
// address that has to be granted itself.
func allows(d decision.Decision, m permission, n string) bool {
	return d.Outcome == decision.Allow && placeOf(covering(d)).allows(m, n)
}

// A place is where a capability leads to, without ports and requests.
type place struct {
	host string
	any  bool // any host, or it is not known
}

func placeOf(c capability.Capability) place {
	host := hostOf(c)
	return place{host: host, any: c.IsZero() || host == "*"}
}

// allows reports whether what leads there allows means a flow or request too.
func (l place) allows(m permission, n string) bool {
	return (n == "" || standsFor(l.host, n)) && !(m.addr && l.any)
}

// covering is the capability that an answer rests on. The zero capability, where
// the answer names none, is the widest.
func covering(d decision.Decision) capability.Capability {
	for _, r := range d.Reasons {
		if !r.By.IsZero() {
			return r.By
		}
	}
	return capability.Capability{}
}

// anyHost reports whether a capability is for any host, or not known.
func anyHost(c capability.Capability) bool {
	return placeOf(c).any
}

// honoured reports whether a capability that covers a name may stand for it.
func honoured(c capability.Capability, n string) bool {
	return standsFor(hostOf(c), n)
}

// standsFor reports whether a host, as it stands in a capability that covers a
// name, may stand for it.
func standsFor(host, n string) bool {
	base, wild := strings.CutPrefix(host, "*.")
	return !wild || name.Within(base, n)
}

// hostOf is the scope of a capability without port, protocol and requests.
func hostOf(c capability.Capability) string {
	s := strings.TrimSuffix(c.Flow().Scope(), "/udp")
	if end := strings.IndexByte(s, ']'); end >= 0 {
		return s[:end+1]
	}
	host, _, _ := strings.Cut(s, ":")
	return host
}

// widened are the places of capabilities of the network, on every port.
func widened(granted []capability.Capability) (places []capability.Capability) {
	for _, c := range granted {
		if c.Kind() != capability.NetConnect && c.Kind() != capability.NetStream {
			continue
		}
		if w, err := capability.Parse("net.connect:" + hostOf(c) + ":*"); err == nil && !slices.Contains(places, w) {
			places = append(places, w)
		}
	}
	return places
}

// reason is the first reason of an answer, for people.
func reason(d decision.Decision) string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[0].Text
}
