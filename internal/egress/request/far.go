package request

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"

	"ambit.dev/ambit/internal/egress/request/two"
)

// A pool is the connections by HTTP/2 to the server of a program that speaks it.
// They carry requests of nobody else.
type pool struct {
	freed chan struct{} // a request has ended

	mu      sync.Mutex
	clients []*two.Client // guarded by mu
	one     bool          // the server speaks HTTP/1.1; guarded by mu
	waiting bool          // somebody waits for a request to end; guarded by mu
}

// maxTries is how often a request is sent that no server has looked at.
const maxTries = 4

// sendTwo sends a request of HTTP/2 and returns the head of its response.
func (s *conn) sendTwo(ctx context.Context, r *http.Request, secret bool, before func(code int, h http.Header)) (*http.Response, error) {
	for try := 1; ; try++ {
		k, err := s.client(ctx)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return s.send(r, before)
		}
		resp, err := k.Send(ctx, r, secret, before)
		if err == nil || !two.Unbegun(err) || r.Body != http.NoBody || try == maxTries || ctx.Err() != nil {
			return resp, err
		}
	}
}

// client returns a connection with room for a request, which is kept. nil: the server
// speaks HTTP/1.1.
func (s *conn) client(ctx context.Context) (*two.Client, error) {
	p := &s.far
	if k, one := p.free(); k != nil || one {
		return k, nil
	}
	if err := s.up.begin(ctx); err != nil {
		return nil, err
	}
	defer s.up.begun()
	for {
		if k, one := p.free(); k != nil || one {
			return k, nil
		}
		if p.full() {
			select {
			case <-p.freed:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		c, _ := s.up.take()
		if c == nil {
			var err error
			if c, _, err = s.dial(ctx, false); err != nil {
				return nil, err
			}
		}
		p.add(s, c)
	}
}

// free finds a connection with room.
func (p *pool) free() (k *two.Client, one bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
	for _, k := range p.clients {
		if k.Reserve() {
			return k, false
		}
	}
	return nil, p.one
}

// speaksOne reports whether the server speaks HTTP/1.1 to who would speak HTTP/2.
func (p *pool) speaksOne() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.one
}

// full reports whether there are as many connections as there may be, and if so has
// who ends a request tell of it.
func (p *pool) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients = slices.DeleteFunc(p.clients, (*two.Client).Ended)
	usable := 0
	for _, k := range p.clients {
		if !k.Over() { // the others have requests that go on
			usable++
		}
	}
	p.waiting = usable >= maxUpstream
	return p.waiting
}

// close ends every connection.
func (p *pool) close() {
	p.mu.Lock()
	clients := p.clients
	p.clients = nil
	p.mu.Unlock()
	for _, k := range clients {
		k.Close()
	}
}

// ended is told that a request has ended.
func (p *pool) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting {
		select {
		case p.freed <- struct{}{}:
		default: // it is told already
		}
	}
}

// add has requests go by a connection as well.
func (p *pool) add(s *conn, c net.Conn) {
	t, encrypted := c.(*tls.Conn)
	p.mu.Lock()
	defer p.mu.Unlock()
	if encrypted && t.ConnectionState().NegotiatedProtocol != "h2" {
		p.one = true
		if !s.up.give(c, false) {
			_ = c.Close() // no request uses it
		}
		return
	}
	p.clients = append(p.clients, two.Dialled(c, 4*maxHeader, unusedTime))
}
