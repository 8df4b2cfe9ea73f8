//go:build linux

package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// An Insider connects to a port of the sandbox's own loopback. *inside.Dialer is
// one.
type Insider interface {
	Dial(ctx context.Context, port uint16) (net.Conn, error)
}

// Bounds of published ports.
const (
	maxPublished = 64
	maxInbound   = 256 // connections, to all of them
	firstPort    = 1024
)

// A Published is a port of the sandbox that can be reached from the host.
type Published struct {
	plane    *Plane
	listener net.Listener
	port     uint16
	must     permission
	decision string
}

// publications has the published ports.
type publications struct {
	mu      sync.Mutex
	all     map[*Published]struct{} // guarded by mu
	inbound atomic.Int32
}

func (s *publications) init() { s.all = map[*Published]struct{}{} }

// Publish lets the host's loopback reach a port of the sandbox, by a port of the
// host: the same if host is 0. A connection is made from inside, so servers that
// listen on the sandbox's loopback only are reached too.
//
// Security: only the loopback is listened on, never a privileged port, never one
// that somebody has; every user of the host can connect to it.
func (p *Plane) Publish(port, host uint16) (*Published, error) {
	text := fmt.Sprintf("%s:%d", capability.NetListen, port)
	if host != 0 {
		text += fmt.Sprintf("/%d", host)
	} else {
		host = port
	}
	c, err := capability.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case p.cfg.Insider == nil:
		return nil, errors.New("this sandbox's ports cannot be reached from outside")
	case host < firstPort:
		return nil, fmt.Errorf("cannot publish port %d as %d: expected a port of the host from %d on, as in %s:%d/8080", port, host, firstPort, capability.NetListen, port)
	}
	u := &Published{plane: p, port: port, must: permission{capability: c}}
	d := p.cfg.Checker.Check(p.ctx, decision.Request{Subject: p.cfg.Subject, Capability: c})
	if u.decision = d.Request; d.Outcome != decision.Allow {
		return nil, fmt.Errorf("cannot publish port %d: %s", port, reason(d))
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), host)
	if u.listener, err = (&net.ListenConfig{}).Listen(p.ctx, "tcp4", at.String()); err != nil {
		return nil, fmt.Errorf("publish port %d: %w", port, err)
	}
	if !p.published.add(u) || !p.work.join() {
		u.Close()
		return nil, errors.New("too many ports are published")
	}
	go func() {
		defer p.work.leave()
		u.serve()
	}()
	return u, nil
}

func (s *publications) add(u *Published) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= maxPublished {
		return false
	}
	s.all[u] = struct{}{}
	return true
}

func (s *publications) each(do func(*Published)) {
	s.mu.Lock()
	all := make([]*Published, 0, len(s.all))
	for u := range s.all {
		all = append(all, u)
	}
	s.mu.Unlock()
	for _, u := range all {
		do(u)
	}
}

// Addr is where the host reaches the port.
func (u *Published) Addr() netip.AddrPort {
	a, _ := netip.ParseAddrPort(u.listener.Addr().String())
	return a
}

// Close takes the port back. Connections that there are go on.
func (u *Published) Close() {
	_ = u.listener.Close() // nothing is lost
	s := &u.plane.published
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, u)
}

func (u *Published) serve() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		p := u.plane
		if p.published.inbound.Add(1) > maxInbound || !p.work.join() {
			p.published.inbound.Add(-1)
			reset(c)
			continue
		}
		go func() {
			defer p.work.leave()
			defer p.published.inbound.Add(-1)
			u.carry(c.(*net.TCPConn))
		}()
	}
}

// reset closes a connection so that the other end sees it broken off.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// carry connects to the sandbox and carries until both sides have ended.
func (u *Published) carry(outer *net.TCPConn) {
	p := u.plane
	from, _ := netip.ParseAddrPort(outer.RemoteAddr().String())
	f := p.flows.add(Flow{
		Inbound: true, Decision: u.decision, Capability: u.must.capability, From: from, To: u.Addr(), Begun: time.Now(),
	})
	defer p.flows.remove(f)
	f.mu.Lock()
	f.rests = append(f.rests, u.must)
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.ctx, p.lim.Dial)
	defer cancel()
	c, err := p.cfg.Insider.Dial(ctx, u.port)
	if err != nil {
		reset(outer)
		p.refusedFlow(f, refuse(DialFailed, "%v", err))
		return
	}
	inner := c.(*net.TCPConn)
	broken := sync.OnceFunc(func() {
		reset(outer)
		reset(inner)
	})
	f.mu.Lock()
	f.told.Connected = time.Now()
	f.mu.Unlock()
	if f.bind(broken) {
		p.record(f.snapshot())
		var up sync.WaitGroup
		var upErr error
		up.Go(func() { upErr = shovel(outer, inner, &f.out, broken) })
		downErr := shovel(inner, outer, &f.in, broken)
		up.Wait()
		end := Done
		if upErr != nil || downErr != nil {
			end = Reset
		}
		f.conclude(end, "")
	}
	_, _ = outer.Close(), inner.Close() // both were told that it is over
	told := f.snapshot()
	told.Ended = time.Now()
	p.record(told)
}

// shovel carries one direction of a connection between two sockets, counting.
func shovel(to, from *net.TCPConn, count *atomic.Uint64, broken func()) error {
	_, err := io.Copy(counter{to, count}, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		broken()
	}
	return err
}

type counter struct {
	io.Writer
	n *atomic.Uint64
}

func (c counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n.Add(uint64(n))
	return n, err
}
