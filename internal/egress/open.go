//go:build linux

package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/waiter"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/address"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/request"
)

// Rules are the capabilities about requests that say something now: those by
// which requests may be permitted, and those that deny some. A connection to where
// one of them leads is opened, and each of its requests decided.
type Rules struct {
	Permit, Deny []capability.Capability
	// Addresses: something may deny addresses, so each that an allowed name leads to
	// is asked about (Config.Leads).
	Addresses bool
}

// A Request is one request over an opened connection, as it is told to the log.
type Request struct {
	request.Record
	Flow uint64 // the connection's ID
	To   capability.Capability
}

// opens reports whether connections to a target are opened.
func (p *Plane) opens(t target) bool {
	t.udp = false
	to, err := t.capability()
	return err == nil && p.opensTo(to, t)
}

func (p *Plane) opensTo(to capability.Capability, t target) bool {
	if p.cfg.Rules != nil {
		r := p.cfg.Rules()
		leads := func(c capability.Capability) bool {
			_, ok := c.At(to)
			return ok
		}
		if slices.ContainsFunc(r.Permit, leads) || slices.ContainsFunc(r.Deny, leads) {
			return true
		}
	}
	f := p.cfg.Requests.Filler
	return f != nil && f.Bound(t.host(), t.port)
}

// host is the target's host as it stands in a destination of requests.
func (t target) host() string {
	if t.name != "" {
		return t.name
	}
	return t.addr.String()
}

// admitted decides whether a connection to a target is opened at all: whether
// some request there may be permitted, or else the whole flow is.
func (p *Plane) admitted(ctx context.Context, f *flow, t target, at inside.Flow) *refusal {
	p.identify(f, at, false)
	to, err := t.capability()
	if err != nil {
		return refuse(NotGranted, "internal error: %v", err)
	}
	f.mu.Lock()
	f.told.Capability, f.opened = to, true
	f.mu.Unlock()
	if r := p.refused.find(to); r != nil {
		return r
	}
	must := p.must(to, t)
	var askable capability.Capability
	for _, c := range p.permits(to) {
		must.capability = c
		d, ok := p.check(ctx, f, decision.Request{Subject: p.subject(f), Capability: c, CanAsk: p.cfg.Asker != nil}, must, t.name)
		if ok {
			return nil
		}
		if d.Outcome == decision.Ask && askable.IsZero() {
			askable = c
		}
	}
	if !askable.IsZero() {
		return p.put(ctx, f, askable, t, at)
	}
	return p.decide(ctx, f, t, at)
}

// permits are what some rule may permit at a destination.
func (p *Plane) permits(to capability.Capability) (all []capability.Capability) {
	if p.cfg.Rules == nil {
		return nil
	}
	for _, c := range p.cfg.Rules().Permit {
		if at, ok := c.At(to); ok && !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// attend serves the requests of an opened connection until it has ended.
func (p *Plane) attend(f *flow, t target, guest tcpip.Endpoint, queue *waiter.Queue, share int) {
	if share < maxBuffer {
		guest.SocketOptions().SetReceiveBufferSize(int64(share), true)
		guest.SocketOptions().SetSendBufferSize(int64(share), true)
	}
	c := &guestConn{TCPConn: gonet.NewTCPConn(queue, guest), guest: guest, flow: f}
	if engine := p.engine(); engine != nil && f.bind(guest.Abort) {
		now := f.snapshot()
		p.record(now)
		end := engine.Serve(p.ctx, c, request.Destination{Host: t.host(), Port: t.port}, &openFlow{plane: p, flow: f, target: t, to: now.Capability, id: now.ID})
		if end.Reason == "" {
			end.Reason = string(Done)
		}
		f.conclude(End(end.Reason), end.Why)
	}
	_ = c.Close() // it may be closed
	told := f.snapshot()
	told.Ended = time.Now()
	p.record(told)
}

// engine is what serves requests, from the first connection that is opened.
// nil: the plane is being closed.
func (p *Plane) engine() *request.Engine {
	p.requests.Do(func() { p.opener.Store(request.New(p.ctx, p.cfg.Requests)) })
	return p.opener.Load()
}

// A guestConn is the sandbox's end of a connection, and counts its bytes.
type guestConn struct {
	*gonet.TCPConn
	guest tcpip.Endpoint
	flow  *flow
}

func (c *guestConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.flow.out.Add(uint64(n))
	return n, err
}

func (c *guestConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.flow.in.Add(uint64(n))
	return n, err
}

// openFlow is what stands behind the requests of one connection.
type openFlow struct {
	plane  *Plane
	flow   *flow
	target target
	to     capability.Capability // the target's
	id     uint64                // the flow's
}

// Decide has a request decided, with a person's help where one has to be asked.
//
// Security: the path is compared in its canonical form. One that has none is put
// as a request for any path, which only a grant without paths covers, and is
// stopped by every denial of some path.
func (o *openFlow) Decide(ctx context.Context, a request.Ask) request.Answer {
	c, odd, err := o.capability(a)
	if err != nil {
		return request.Answer{Why: err.Error()}
	}
	if by, ok := o.plane.mayBeDenied(c, odd); ok {
		return request.Answer{Capability: c.Display(), Reason: string(NotGranted),
			Why: "its path is written in a way that servers read differently, and may be one that " + by.Display() + " denies"}
	}
	d, use, release, no := o.permit(ctx, c, odd)
	answer := request.Answer{Allowed: no == nil, Decision: d.Request, Use: use, Release: release}
	if no == nil {
		if use != 0 {
			o.tell(request.Record{Decision: d.Request, Method: a.Method, Path: a.Path, Begun: time.Now(), Uses: []request.Use{{Number: use, Stream: a.Stream}}})
		}
		return answer
	}
	answer.Capability, answer.Reason, answer.Why = c.Display(), string(no.end), no.why
	if len(d.Reasons) > 0 {
		answer.Fix = d.Reasons[0].Fix
	}
	if odd {
		answer.Why += "; its path is written in a way that servers read differently, so that no rule with paths permits it"
	}
	return answer
}

// capability is what is asked for: one request, over a connection or a stream.
func (o *openFlow) capability(a request.Ask) (c capability.Capability, odd bool, err error) {
	c = o.to
	if a.Stream {
		if c, err = capability.Parse(string(capability.NetStream) + ":" + c.Scope()); err != nil {
			return c, false, err
		}
	}
	c, plain, err := c.Asked(a.Method, a.Path)
	return c, !plain, err
}

// permit decides about a request, and has the flow rest on what permits it until
// release is called.
//
// Security: grants that change after the decision and before the flow rests on it
// are seen here; those that change later end the flow.
func (o *openFlow) permit(ctx context.Context, c capability.Capability, odd bool) (d decision.Decision, use uint64, release func(), no *refusal) {
	p, f := o.plane, o.flow
	seen := p.rechecks.Load()
	must := p.must(c, o.target)
	must.anyPath = odd
	d, use, no = p.judgeRequest(ctx, f, o.target, must)
	if no != nil {
		return d, 0, nil, no
	}
	release = f.rest(must)
	if p.rechecks.Load() != seen && !p.permitted(must, p.subject(f)) {
		release()
		return d, 0, nil, refuse(Withdrawn, "what permitted it is no longer granted")
	}
	return d, use, release, nil
}

// judgeRequest puts the request, asks where that is the answer, and puts it again.
func (p *Plane) judgeRequest(ctx context.Context, f *flow, t target, must permission) (decision.Decision, uint64, *refusal) {
	r := decision.Request{Subject: p.subject(f), Capability: must.capability, CanAsk: p.cfg.Asker != nil, AnyPath: must.anyPath}
	d, use, ok := p.judge(ctx, r, must, t.name)
	if ok || d.Outcome != decision.Ask {
		return d, use, unless(ok, NotGranted, d)
	}
	r.ID = d.Request
	told := f.snapshot()
	told.Capability = must.capability
	switch err := p.ask(ctx, Question{Request: r, Flow: told}); {
	case errors.Is(err, errTooMany):
		return d, 0, refuse(TooMany, "%v", err)
	case context.Cause(ctx) != nil:
		return d, 0, refuse(GaveUp, "the program gave up")
	case err != nil:
		return d, 0, refuse(NoAnswer, "%v", err)
	}
	r.ID, r.CanAsk = "", false
	d, use, ok = p.judge(ctx, r, must, t.name)
	return d, use, unless(ok, Refused, d)
}

func unless(ok bool, end End, d decision.Decision) *refusal {
	if ok {
		return nil
	}
	return refuse(end, "%s", reason(d))
}

// Dial resolves the name now, and connects to an address that may be dialled.
func (o *openFlow) Dial(ctx context.Context, kept func(netip.AddrPort) net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.plane.lim.Dial)
	defer cancel()
	seen := o.plane.rechecks.Load()
	c, no := o.plane.dialTarget(ctx, o.flow, o.target, kept)
	if no == nil && o.plane.rechecks.Load() != seen && !o.plane.stands(o.flow) {
		_ = c.Close() // nothing was sent
		no = refuse(Withdrawn, "what permitted it is no longer granted")
	}
	if no != nil {
		return nil, &request.Refused{Reason: string(no.end), Words: no.why}
	}
	return c, nil
}

// Told is told of a request that has ended.
func (o *openFlow) Told(r request.Record) { o.tell(r) }

// tell tells of a request: when it has ended, and when it begins on an answer that
// was remembered.
func (o *openFlow) tell(r request.Record) {
	if o.plane.cfg.Told == nil {
		return
	}
	o.plane.cfg.Told(Request{Record: r, Flow: o.id, To: o.to})
}

// must is what a flow to a target rests on, when it is for c.
func (p *Plane) must(c capability.Capability, t target) permission {
	m := permission{capability: c}
	if t.name == "" {
		m.addr = address.Of(t.addr, p.cfg.Host()...) != address.Public
	}
	return m
}

// rest has the flow rest on a permission as well, until the returned function is
// called.
func (f *flow) rest(m permission) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rests = append(f.rests, m)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if i := slices.Index(f.rests, m); i >= 0 {
			f.rests = slices.Delete(f.rests, i, i+1)
		}
	}
}

var _ request.Flow = (*openFlow)(nil)
