package request

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"sync"
	"time"
)

// upstream are the connections to the server that requests of one program's
// connection go out by. They are shared with nobody.
type upstream struct {
	mu       sync.Mutex
	carrier  *http.Transport // guarded by mu
	first    net.Conn        // was connected before the first request; guarded by mu
	used     bool            // requests went by first before; guarded by mu
	known    bool            // a server was reached; guarded by mu
	loopback bool            // guarded by mu
	over     bool            // guarded by mu
	turn     chan struct{}   // of one: who connects
}

// Times that a server has.
const (
	shakeTime    = 20 * time.Second
	continueTime = time.Second
	unusedTime   = 90 * time.Second
)

// dial connects to the server, and over TLS verifies its certificate.
//
// Security: whatever is sent is sent to an address that was checked, and over TLS
// to whom the host's roots say has the name. There is no way to leave it out: with
// shelved a connection may be one that lay on the shelf, which has both behind it.
func (s *conn) dial(ctx context.Context, shelved bool) (c net.Conn, used bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, shakeTime)
	defer cancel()
	c, err = s.flow.Dial(ctx, func(at netip.AddrPort) net.Conn {
		if !shelved {
			return nil
		}
		there := s.engine.shelf.take(s.to, at)
		used = there != nil
		return there
	})
	if err != nil {
		return nil, false, err
	}
	s.up.reached(c)
	if used || s.to.Scheme != "https" {
		return c, used, nil
	}
	c, err = s.encrypt(ctx, c)
	return c, false, err
}

// encrypt shakes hands with a server.
func (s *conn) encrypt(ctx context.Context, c net.Conn) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.to.Host, NextProtos: []string{"http/1.1"}, ClientSessionCache: s.sessions()}
	if s.two && !s.far.speaksOne() {
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	if s.engine.cfg.Roots != nil {
		cfg.RootCAs = s.engine.cfg.Roots()
	}
	t := tls.Client(newRecords(c), cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return t, nil
}

// sessions are those of TLS that connections to this destination may go on with.
// Only a server that has shown its certificate before has what that takes.
func (s *conn) sessions() sessions { return sessions{s.engine.shaken, s.authority} }

// sessions is a cache for one destination: a name alone may have several servers,
// by its ports.
type sessions struct {
	all tls.ClientSessionCache
	of  string
}

// Get returns a session.
func (s sessions) Get(key string) (*tls.ClientSessionState, bool) { return s.all.Get(s.of + " " + key) }

// Put keeps one.
func (s sessions) Put(key string, state *tls.ClientSessionState) { s.all.Put(s.of+" "+key, state) }

// reached notes what kind of address a server has.
func (u *upstream) reached(c net.Conn) {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known, u.loopback = true, err == nil && at.Addr().Unmap().IsLoopback()
}

// connect makes the first connection to the server, unless one was made before,
// and returns where requests go. shelved is that it may be one that was used before.
func (s *conn) connect(ctx context.Context, shelved bool) (Destination, error) {
	u := &s.up
	u.mu.Lock()
	known := u.known
	u.mu.Unlock()
	if !known {
		if err := s.connectFirst(ctx, shelved); err != nil {
			return s.to, err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	d := s.to
	d.Loopback = u.loopback
	return d, nil
}

// begin waits until nobody else connects.
func (u *upstream) begin(ctx context.Context) error {
	select {
	case u.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (u *upstream) begun() { <-u.turn }

// connectFirst makes the first connection, unless another request is quicker.
func (s *conn) connectFirst(ctx context.Context, shelved bool) error {
	u := &s.up
	if err := u.begin(ctx); err != nil {
		return err
	}
	defer u.begun()
	u.mu.Lock()
	known := u.known
	u.mu.Unlock()
	if known {
		return nil
	}
	c, used, err := s.dial(ctx, shelved)
	if err == nil && !u.give(c, used) {
		_ = c.Close() // the program's is over
	}
	return err
}

// take returns the connection that was made before the first request, and whether
// others went by it.
func (u *upstream) take() (c net.Conn, used bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c, u.first = u.first, nil
	return c, u.used
}

// give has the next connection that is wanted be this one, and reports whether it
// will be.
func (u *upstream) give(c net.Conn, used bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.first != nil || u.over {
		return false
	}
	u.first, u.used = c, used
	return true
}

// transport makes a transport by HTTP/1.1 that knows no other server than this one.
func (s *conn) transport() *http.Transport {
	var p http.Protocols
	p.SetHTTP1(true)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if c, _ := s.up.take(); c != nil {
			return c, nil
		}
		c, _, err := s.dial(ctx, false)
		return c, err
	}
	return &http.Transport{
		DialContext: dial, DialTLSContext: dial, Protocols: &p, DisableCompression: true,
		MaxConnsPerHost: maxUpstream, MaxIdleConnsPerHost: maxUpstream, IdleConnTimeout: unusedTime,
		ExpectContinueTimeout: continueTime, MaxResponseHeaderBytes: 4 * maxHeader,
		WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
	}
}

// send sends a request by HTTP/1.1 and returns the head of its response.
func (s *conn) send(r *http.Request, before func(code int, h http.Header)) (*http.Response, error) {
	s.up.mu.Lock()
	if s.up.carrier == nil {
		s.up.carrier = s.transport()
	}
	t, over := s.up.carrier, s.up.over
	s.up.mu.Unlock()
	if over {
		return nil, net.ErrClosed
	}
	return t.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		before(code, http.Header(h))
		return nil
	}})))
}

// close ends every connection that no request uses; those end with their request.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if u.carrier != nil {
		u.carrier.CloseIdleConnections()
	}
	if u.first != nil {
		_ = u.first.Close() // it was never used
		u.first = nil
	}
}

// certificate says what is wrong with a server's certificate, if that is what an
// error is about.
func certificate(err error) (string, bool) {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return v.Err.Error(), true
	}
	if v, ok := errors.AsType[x509.HostnameError](err); ok {
		return v.Error(), true
	}
	return "", false
}
