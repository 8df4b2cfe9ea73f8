// Package request reads the HTTP requests of a program, has each one decided,
// and writes it anew toward where it may go.
//
// Invariants, with the tests that hold them:
//
//   - What is sent is what was decided: method, path and host of the request as it
//     is written, not as it was read (TestDecided, TestSmuggling, FuzzForwarded).
//   - A connection carries requests for its one host (TestOtherHosts).
//   - Nothing is sent before it was allowed, and over TLS nothing before the
//     server's certificate was verified with the host's roots (TestUpstream).
//   - A program that refuses our certificate gets nothing else (TestDistrust).
//
// Requests come by HTTP/1.1 and HTTP/2 and go out by either; bodies, trailers,
// 1xx and upgrades to WebSocket pass in both directions as they come.
//
// Layer: part of a mediator. It sees interfaces only: who decides, who connects,
// who puts secrets in.
package request

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ambit.dev/ambit/internal/egress/request/authority"
	"ambit.dev/ambit/internal/workers"
)

// Reasons for which a request or its connection was refused: of the closed list
// of a flow's ends.
const (
	NotGranted  = "not-granted"
	DialFailed  = "dial-failed"
	SNIMismatch = "sni-mismatch"
	Host        = "host-mismatch"
	Malformed   = "malformed"
	Certificate = "upstream-certificate"
	Distrust    = "client-distrusts-ca"
	Limit       = "limit"
	Misuse      = "placeholder-misuse" // of what stands for a secret
)

// Bounds of what a program sends.
const (
	maxHeader   = 64 << 10
	helloTime   = 10 * time.Second
	headerTime  = 30 * time.Second
	idleTime    = 5 * time.Minute
	maxUpstream = 16 // connections to the server for one of the program
	maxShaken   = 64 // servers with which TLS may go on from where it was
)

// A Flow is one connection of a program, whose host and port were admitted.
type Flow interface {
	// Decide says whether a request may be made. It may take long: a person may be
	// asked meanwhile.
	Decide(ctx context.Context, a Ask) Answer
	// Dial connects to the server. A *Refused says why it does not. It asks kept for
	// each address that it may connect to, once it has found them all: what that
	// returns is a connection to there, which it returns instead of a new one.
	Dial(ctx context.Context, kept func(at netip.AddrPort) net.Conn) (net.Conn, error)
	// Leads says whether a request that Decide has allowed may be made to where Dial has
	// connected.
	Leads(ctx context.Context, a Ask) Answer
	// Told is told of each request that has ended.
	Told(r Record)
}

// Ask is what is decided about a request.
type Ask struct {
	Method string
	Path   string // as it will be sent, without its query
	Stream bool   // it stays open: an upgrade, an event stream
}

// Answer is whether it may be made. The zero Answer is no.
type Answer struct {
	Allowed    bool
	Decision   string // id of the record
	Use        uint64 // number of the use of an answer that was given before; 0: it was given now
	Capability string // that was asked for, if it was denied
	Reason     string // of the closed list; "" is NotGranted
	Why, Fix   string // for people
	Release    func() // called when the request has ended; nil: nothing
}

// A Use is an answer that was given before for another request.
type Use struct {
	Number uint64
	Stream bool // it is about a request that stays open
}

// Record is a request that has ended.
type Record struct {
	Decision string
	Uses     []Use // of answers that were given before
	Method   string
	Path     string // without its query
	Status   int    // that the program was answered with
	In, Out  uint64 // bytes of bodies, to the program and from it
	Begun    time.Time
	Ended    time.Time
	Refused  string // why, "" if it was not
	Why      string // for people
}

// Config is what an Engine is made of.
type Config struct {
	Authority *authority.Authority
	Filler    Filler                // nil: there are no secrets
	Roots     func() *x509.CertPool // that servers are verified with; nil: the host's
}

// An Engine serves the opened connections of one sandbox. It is safe for
// concurrent use.
type Engine struct {
	cfg    Config
	tls    *tls.Config
	shaken tls.ClientSessionCache // with servers, whose certificates were verified
	shelf  shelf
	server *http.Server
	queue  *queue
	hands  *workers.Pool   // for requests by HTTP/2, which bounds how many there are
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// staying is how many goroutines stay for the requests that come next.
const staying = 16

// New starts an engine.
func New(ctx context.Context, cfg Config) *Engine {
	ctx, cancel := context.WithCancel(ctx)
	e := &Engine{ctx: ctx, cancel: cancel, cfg: cfg, queue: newQueue(), hands: workers.New(math.MaxInt, staying), shaken: tls.NewLRUClientSessionCache(maxShaken)}
	e.tls = &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		// What goes between the program and this process leaves no machine, so nobody
		// keeps it until larger computers come: it needs no second key exchange.
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		GetConfigForClient: e.greeted, GetCertificate: e.certificate,
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	e.server = &http.Server{
		Handler: http.HandlerFunc(serve), Protocols: &protocols, DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // a program's mistakes are answered to it
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: withConn,
	}
	e.done.Go(func() { _ = e.server.Serve(e.queue) }) // it ends by Close
	return e
}

// Close ends every connection. Those that Serve was called for have ended when
// it has returned.
func (e *Engine) Close() {
	e.cancel()
	_ = e.server.Close() // the queue says nothing else
	e.done.Wait()
	e.hands.Close()
	e.shelf.close()
}

// Recheck is to be called when what may be reached has changed: no connection to a
// server is left that no request uses, nor will what is in use now be kept.
func (e *Engine) Recheck() { e.shelf.clear() }

// End says how a connection ended: a reason of the closed list and words, or
// nothing if it ended by itself.
type End struct{ Reason, Why string }

// Serve serves the requests of one connection until it has ended. It closes c,
// and so does whoever wants it to end.
func (e *Engine) Serve(ctx context.Context, c net.Conn, to Destination, f Flow) End {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &conn{Conn: c, engine: e, ctx: ctx, cancel: cancel, to: to, flow: f, turn: e.shelf.now(), over: make(chan struct{})}
	s.up.turn, s.far.freed = make(chan struct{}, 1), make(chan struct{}, 1)
	defer s.up.close()
	defer s.far.close()
	defer s.Close() //nolint:errcheck // it may be closed
	defer context.AfterFunc(e.ctx, func() { _ = c.Close() })()
	server, end := s.accept()
	if end.Reason != "" || server == nil {
		return end
	}
	if s.two {
		s.serveTwo(server)
		return s.ended()
	}
	if server = s.converse(server); server == nil {
		return s.ended()
	}
	if !e.queue.put(server) {
		return End{}
	}
	<-s.over
	cancel()
	s.requests.Wait()
	return s.ended()
}

// A conn is one connection of a program.
type conn struct {
	net.Conn
	engine    *Engine
	ctx       context.Context
	cancel    context.CancelFunc // of ctx
	to        Destination
	authority string // to, as it stands in requests
	flow      Flow
	turn      uint64 // of the shelf, that it began in
	two       bool   // it speaks HTTP/2
	up        upstream
	far       pool
	named     atomic.Pointer[string] // how a request spelled its host, and it was this one

	requests sync.WaitGroup
	once     sync.Once
	over     chan struct{} // closed with the connection

	mu  sync.Mutex
	end End // guarded by mu
}

// Close closes the connection, once.
func (s *conn) Close() (err error) {
	s.once.Do(func() {
		err = s.Conn.Close()
		s.cancel()
		close(s.over)
	})
	return err
}

// because says how the connection ends, if nothing did before.
func (s *conn) because(reason, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.Reason == "" {
		s.end = End{reason, why}
	}
}

func (s *conn) ended() End {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

type connKey struct{}

// withConn gives the requests of a connection the conn that they came by.
func withConn(ctx context.Context, c net.Conn) context.Context {
	switch in := c.(type) {
	case *tls.Conn:
		c = in.NetConn()
	case *handed:
		c = in.of
	}
	return context.WithValue(ctx, connKey{}, c)
}

// queue is a listener whose connections are put into it.
type queue struct {
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newQueue() *queue { return &queue{conns: make(chan net.Conn), over: make(chan struct{})} }

func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.over:
		return false
	}
}

// Accept returns the next connection.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.over:
		return nil, net.ErrClosed
	}
}

// Close ends the queue.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.over) })
	return nil
}

// Addr is of no meaning here.
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

var errMismatch = errors.New("another name")

var _ io.Closer = (*queue)(nil)
