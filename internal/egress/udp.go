//go:build linux

package egress

import (
	"context"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"ambit.dev/ambit/internal/egress/inside"
)

// Bounds of what waits while an exchange of datagrams is decided.
const (
	maxWaiting      = 32
	maxWaitingBytes = 128 << 10
)

// exchanges has the exchanges of datagrams, by their ends.
type exchanges struct {
	mu  sync.Mutex
	all map[stack.TransportEndpointID]*exchange // guarded by mu
}

// An exchange is what goes to and fro between two ends. Until it was decided its
// datagrams wait, in order; afterwards they find the stack's endpoint.
type exchange struct {
	waiting []*stack.PacketBuffer // guarded by the mutex of exchanges
	bytes   int                   // guarded by the mutex of exchanges
	decided bool                  // guarded by the mutex of exchanges
}

func (e *exchanges) init() { e.all = map[stack.TransportEndpointID]*exchange{} }

// datagram is called on the path of packets for each datagram that no endpoint
// takes: nothing slow is done here. false has the stack answer that nobody
// listens there.
func (p *Plane) datagram(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	s := &p.exchanges
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.all[id]; x != nil {
		size := pkt.Size()
		if !x.decided && len(x.waiting) < maxWaiting && x.bytes+size <= maxWaitingBytes {
			x.waiting = append(x.waiting, pkt.Clone())
			x.bytes += size
		}
		return true
	}
	from, to := ends(id)
	if p.refusedDatagram(id) {
		return false
	}
	if len(s.all) >= p.lim.Exchanges || !p.rate.take() {
		p.overflow("too many exchanges of datagrams")
		return false
	}
	x := &exchange{waiting: []*stack.PacketBuffer{pkt.Clone()}, bytes: pkt.Size()}
	s.all[id] = x
	if !p.work.join() {
		return false
	}
	go func() {
		defer p.work.leave()
		p.exchange(id, x, inside.Flow{UDP: true, From: from, To: to})
	}()
	return true
}

// refusedDatagram reports whether the same was refused just now.
func (p *Plane) refusedDatagram(id stack.TransportEndpointID) bool {
	_, to := ends(id)
	t, release, no := p.locate(to, true)
	release()
	if no != nil {
		return true // it is never anything else
	}
	c, err := t.capability()
	return err != nil || p.refused.find(c) != nil
}

// exchange decides about an exchange and carries it.
func (p *Plane) exchange(id stack.TransportEndpointID, x *exchange, at inside.Flow) {
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	t, release, no := p.locate(at.To, true)
	defer release()
	f := p.flows.add(Flow{UDP: true, From: at.From, To: at.To, Name: t.name, Begun: time.Now()})
	defer p.flows.remove(f)
	var host net.Conn
	switch {
	case no == nil && p.opens(t):
		no = refuse(NotGranted, "requests there are decided one by one, and nothing looks into datagrams")
	case no == nil:
		host, no = p.reach(ctx, f, t, at)
	}
	if no != nil {
		p.reject(id, x)
		p.refusedFlow(f, no)
		return
	}
	defer p.forget(id)
	var guest tcpip.Endpoint
	var queue *waiter.Queue
	var first *stack.PacketBuffer
	// The stack drops what comes while an endpoint is half made.
	p.cfg.Link.Between(func() { guest, queue, first = p.admit(id, x) })
	defer first.DecRef()
	if guest == nil {
		_ = host.Close()
		p.refusedFlow(f, refuse(Stopped, ""))
		return
	}
	c := newCouple(guest, queue, host.(*net.UDPConn), p.lim.Idle)
	if f.bind(c.close) {
		p.record(f.snapshot())
		f.conclude(c.run(f), "")
	}
	c.close()
	if c.unreachable {
		p.unreachable(first)
	}
	told := f.snapshot()
	told.Ended = time.Now()
	p.record(told)
}

func (p *Plane) forget(id stack.TransportEndpointID) {
	s := &p.exchanges
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
}

// reject answers what waited with "nobody listens there".
func (p *Plane) reject(id stack.TransportEndpointID, x *exchange) {
	s := &p.exchanges
	s.mu.Lock()
	waiting := x.waiting
	x.waiting, x.decided = nil, true
	delete(s.all, id)
	s.mu.Unlock()
	for i, pkt := range waiting {
		if i == 0 {
			p.unreachable(pkt)
		}
		pkt.DecRef()
	}
}

// unreachable answers a datagram with the ICMP error for a port that nobody has.
func (p *Plane) unreachable(pkt *stack.PacketBuffer) {
	switch protocol := p.stack.NetworkProtocolInstance(pkt.NetworkProtocolNumber).(type) {
	case stack.RejectIPv4WithHandler:
		_ = protocol.SendRejectionError(pkt, stack.RejectIPv4WithICMPPortUnreachable, true)
	case stack.RejectIPv6WithHandler:
		_ = protocol.SendRejectionError(pkt, stack.RejectIPv6WithICMPPortUnreachable, true)
	}
}

// admit makes the stack's endpoint and gives it what waited. first is a copy of
// the first datagram.
func (p *Plane) admit(id stack.TransportEndpointID, x *exchange) (guest tcpip.Endpoint, queue *waiter.Queue, first *stack.PacketBuffer) {
	s := &p.exchanges
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, first = &waiter.Queue{}, x.waiting[0].Clone()
	guest, err := udp.NewForwarderRequest(p.stack, id, x.waiting[0]).CreateEndpoint(queue)
	if err != nil {
		guest = nil
	}
	if e, ok := guest.(stack.TransportEndpoint); ok {
		for _, pkt := range x.waiting[1:] {
			e.HandlePacket(id, pkt)
		}
	}
	for _, pkt := range x.waiting {
		pkt.DecRef()
	}
	x.waiting, x.decided = nil, true
	return guest, queue, first
}
