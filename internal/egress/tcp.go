//go:build linux

package egress

import (
	"context"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/inside"
)

// maxInFlight is where the stack's own bound lies, beyond which it drops
// connections without a word. Ours refuse before.
const maxInFlight = 1 << 16

// tcp is called for each new connection, in a goroutine of its own. Repeated SYNs
// of the same one do not come here.
func (p *Plane) tcp(r *tcp.ForwarderRequest) {
	if !p.work.join() {
		r.Complete(true)
		return
	}
	from, to := ends(r.ID())
	if !p.rate.take() {
		p.overflow("too many connections in a second")
		r.Complete(true)
		p.work.leave()
		return
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	at := inside.Flow{From: from, To: to}
	a := &attempt{flow: at, since: time.Now(), cancel: cancel}
	if !p.opening.add(a, p.lim.Opening) {
		p.overflow("too many connections wait")
		r.Complete(true)
		p.work.leave()
		return
	}
	t, release, no := p.locate(to, false)
	f := p.flows.add(Flow{From: from, To: to, Name: t.name, Begun: a.since})
	leave := func() {
		p.flows.remove(f)
		release()
		p.work.leave()
	}
	var host *net.TCPConn
	opened := no == nil && p.opens(t)
	switch {
	case opened:
		no = p.admitted(ctx, f, t, at)
	case no == nil:
		host, no = p.connect(ctx, f, t, at)
	}
	p.opening.remove(a)
	if no != nil {
		r.Complete(no.end != GaveUp) // a reset: "connection refused"
		p.refusedFlow(f, no)
		leave()
		return
	}
	p.answer(r, f, t, host, leave)
}

// answer takes a connection that was allowed, and carries it to host, or opens it where
// that is nil. leave is called when it has ended.
func (p *Plane) answer(r *tcp.ForwarderRequest, f *flow, t target, host *net.TCPConn, leave func()) {
	carried := false // from then on it is for the pipe to leave
	defer func() {
		if !carried {
			leave()
		}
	}()
	share := p.flows.connect(p.lim.Flows)
	if share == 0 {
		r.Complete(true)
		closeIf(host)
		p.refusedFlow(f, refuse(TooMany, "%d connections are open", p.lim.Flows))
		return
	}
	var queue waiter.Queue
	guest, err := r.CreateEndpoint(&queue) // the handshake
	r.Complete(false)
	if err != nil {
		p.flows.disconnect()
		closeIf(host)
		p.refusedFlow(f, refuse(GaveUp, "%v", err))
		return
	}
	p.probe(guest)
	if host == nil {
		p.attend(f, t, guest, &queue, share)
		p.flows.disconnect()
		return
	}
	pipe, perr := newPipe(p.poller, p.carriers, guest, &queue, host, share)
	if perr != nil {
		p.flows.disconnect()
		p.refusedFlow(f, refuse(DialFailed, "%v", perr))
		return
	}
	if t.name != "" {
		pipe.lookFirst(t.name)
	}
	carried = true
	p.carry(f, pipe, func() {
		p.flows.disconnect()
		leave()
	})
}

// mostProbes is how many probes may go unanswered: a machine that is paused
// answers none, and its connections go on afterwards.
const mostProbes = 1 << 20

// probe has the stack ask, now and then, whether the program still has its end of
// a silent connection. A reset is sent once and may be lost on its way: what is
// left then would stay for as long as the session, and count as open.
func (p *Plane) probe(guest tcpip.Endpoint) {
	idle, interval := tcpip.KeepaliveIdleOption(p.lim.Silent), tcpip.KeepaliveIntervalOption(p.lim.Silent)
	_ = guest.SetSockOpt(&idle) // these three do not fail
	_ = guest.SetSockOpt(&interval)
	_ = guest.SetSockOptInt(tcpip.KeepaliveCountOption, mostProbes)
	guest.SocketOptions().SetKeepAlive(true)
}

func closeIf(c *net.TCPConn) {
	if c != nil {
		_ = c.Close() // it was not used
	}
}

// ends are the two ends of a flow, as the sandbox sees them.
func ends(id stack.TransportEndpointID) (from, to netip.AddrPort) {
	return netip.AddrPortFrom(plain(id.RemoteAddress), id.RemotePort), netip.AddrPortFrom(plain(id.LocalAddress), id.LocalPort)
}

func plain(a tcpip.Address) netip.Addr {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return addr
}

// connect decides and makes the host's connection.
func (p *Plane) connect(ctx context.Context, f *flow, t target, at inside.Flow) (*net.TCPConn, *refusal) {
	c, no := p.reach(ctx, f, t, at)
	if no != nil {
		return nil, no
	}
	return c.(*net.TCPConn), nil
}

// reach decides about a flow, finds where it leads, and has the host connect.
func (p *Plane) reach(ctx context.Context, f *flow, t target, at inside.Flow) (net.Conn, *refusal) {
	p.identify(f, at, false)
	seen := p.rechecks.Load()
	if no := p.decide(ctx, f, t, at); no != nil {
		return nil, no
	}
	ctx, cancel := context.WithTimeout(ctx, p.lim.Dial)
	defer cancel()
	c, no := p.dialTarget(ctx, f, t, nil)
	if no != nil {
		if no.end == Class || no.end == NotGranted {
			p.keepPlace(t, no)
		}
		return nil, no
	}
	if p.rechecks.Load() != seen && !p.stands(f) {
		_ = c.Close()
		return nil, refuse(Withdrawn, "")
	}
	return c, nil
}

// dialTarget finds where an allowed target leads, and has the host connect, unless
// kept has a connection to there.
func (p *Plane) dialTarget(ctx context.Context, f *flow, t target, kept func(netip.AddrPort) net.Conn) (net.Conn, *refusal) {
	addrs, no := p.resolve(ctx, f, t)
	if no != nil {
		return nil, no
	}
	network := "tcp"
	if t.udp {
		network = "udp"
	}
	var c net.Conn
	for i := 0; i < len(addrs) && kept != nil && c == nil; i++ {
		c = kept(netip.AddrPortFrom(addrs[i], t.port))
	}
	var err error
	if c == nil {
		c, err = dial(ctx, network, addrs, t.port)
	}
	if err != nil {
		if ctx.Err() == context.Canceled {
			return nil, gone(ctx)
		}
		return nil, refuse(DialFailed, "%v", err)
	}
	at, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	f.connected(at)
	return c, nil
}

// lookPause is how many times as long as a look for a program took none is made
// again: a program with thousands of connections is not searched through for each.
const lookPause = 8

// identify finds the program behind a flow, if that was not too much work lately
// or a person is to be told.
func (p *Plane) identify(f *flow, at inside.Flow, always bool) {
	if p.cfg.Sockets == nil || p.cfg.Program == nil {
		return
	}
	begun := time.Now()
	if !always && begun.UnixNano() < p.nextLook.Load() {
		return
	}
	s, err := p.cfg.Sockets.Find(at)
	if err != nil || s.Inode == 0 {
		return
	}
	program := p.cfg.Program(s)
	now := time.Now()
	p.nextLook.Store(now.Add(lookPause * now.Sub(begun)).UnixNano())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told.Program = program
}

// keepPlace remembers that a name leads nowhere that is granted, and not denied.
func (p *Plane) keepPlace(t target, no *refusal) {
	if c, err := t.capability(); err == nil {
		p.refused.keep(c, no)
	}
}

// refusedFlow tells of a flow that is not to be. One that was refused by memory
// was told of before.
func (p *Plane) refusedFlow(f *flow, no *refusal) {
	f.conclude(no.end, no.why)
	told := f.snapshot()
	told.Ended, told.Connected, told.Dialled = time.Now(), time.Time{}, netip.AddrPort{}
	told.Times = no.times
	if !no.again {
		p.record(told)
	}
}

// overflow tells of flows beyond a bound, once for many.
func (p *Plane) overflow(why string) {
	c := capability.Capability{}
	if p.refused.find(c) != nil {
		return
	}
	no := refuse(TooMany, "%s", why)
	p.refused.keep(c, no)
	now := time.Now()
	p.record(Flow{Begun: now, Ended: now, End: no.end, Why: no.why, Times: no.times})
}

// carry moves bytes until both sides have ended, tells of the flow, and leaves.
func (p *Plane) carry(f *flow, pipe *pipe, leave func()) {
	done := func(end End) {
		f.conclude(end, "")
		pipe.close()
		told := f.snapshot()
		told.Ended = time.Now()
		p.record(told)
		leave()
	}
	if !f.bind(pipe.abort) {
		pipe.abort()
		done(Reset)
		return
	}
	p.record(f.snapshot())
	ended := func(end End) {
		if pipe.taken() {
			p.finishers.Do(func() { done(end) })
			return
		}
		go func() {
			pipe.drain(p.ctx)
			done(end)
		}()
	}
	if err := pipe.start(f, ended); err != nil {
		pipe.abort()
		done(Reset)
	}
}
