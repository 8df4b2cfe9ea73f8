package request

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of what lies on a shelf.
const (
	maxShelved = maxUpstream
	shelfTime  = 30 * time.Second
)

// A shelf has connections by HTTP/1.1 to servers that no request uses, until a later
// connection of the same sandbox's wants one. It spares both sides a handshake, and
// a way to the server and back twice.
//
// Security: what is taken goes to the very address that was found and checked just
// now, for the host that the server's certificate was verified for, and each request
// by it is decided like any other. Nobody is known by it: see straight.known. When
// grants change everything is closed, and what was in use then does not come here.
type shelf struct {
	mu    sync.Mutex
	turn  uint64      // guarded by mu; how often all was closed
	all   []shelved   // guarded by mu; those that came first are first
	timer *time.Timer // guarded by mu; nil: none will look
	over  bool        // guarded by mu
}

type shelved struct {
	net.Conn // TLS, or the connection itself
	to       Destination
	at       netip.AddrPort // who is at the other end
	since    time.Time
}

// now is the turn that a connection begins in.
func (s *shelf) now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn
}

// put takes a connection over that was begun in a turn, and reports whether it does.
func (s *shelf) put(turn uint64, to Destination, c net.Conn) bool {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.over || s.turn != turn {
		return false
	}
	if len(s.all) >= maxShelved {
		s.drop(1)
	}
	s.all = append(s.all, shelved{c, to, at, time.Now()})
	if s.timer == nil {
		s.timer = time.AfterFunc(shelfTime, s.look)
	}
	return true
}

// take returns a connection to a destination at an address; nil: there is none.
func (s *shelf) take(to Destination, at netip.AddrPort) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range slices.Backward(s.all) { // the newest has the longest to live
		if c.to != to || c.at != at {
			continue
		}
		s.all = slices.Delete(s.all, i, i+1)
		if quiet(c.Conn) {
			return c.Conn
		}
		_ = c.Close() // the server has ended it, or says what nobody asked for
	}
	return nil
}

// drop closes the first n. The mutex is held.
func (s *shelf) drop(n int) {
	for _, c := range s.all[:n] {
		_ = c.Close() // no request uses it
	}
	s.all = slices.Delete(s.all, 0, n)
}

// look closes those that lie there for long.
func (s *shelf) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	old, now := 0, time.Now()
	for old < len(s.all) && now.Sub(s.all[old].since) >= shelfTime {
		old++
	}
	s.drop(old)
	if len(s.all) > 0 {
		s.timer = time.AfterFunc(shelfTime-now.Sub(s.all[0].since), s.look)
	}
}

// clear closes all, and has those that are in use now not come.
func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	s.drop(len(s.all))
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// close is clear, for good.
func (s *shelf) close() {
	s.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// repeatable reports whether a request can be sent again where the server may have
// seen it already.
func repeatable(r *http.Request) bool {
	return r.Body == http.NoBody && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions)
}

// shows reports whether a server may know by a request who is at the other end of the
// connection from then on, or where a request ends as somebody else sees it.
func shows(r *http.Request) bool {
	return !repeatable(r) || r.Header["Authorization"] != nil
}

// asksWho reports whether a server wants to know who is there: some have that
// known for the connection (RFC 4559).
func asksWho(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusProxyAuthRequired ||
		resp.Header["Www-Authenticate"] != nil || resp.Header["Proxy-Authenticate"] != nil || resp.Header["Persistent-Auth"] != nil
}
