package request

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/egress/address"
	"ambit.dev/ambit/internal/egress/request/authority"
)

// accept looks whether the program speaks TLS, and shakes hands if so. It returns
// nothing where there is nothing to serve.
func (s *conn) accept() (net.Conn, End) {
	if err := s.Conn.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return nil, End{}
	}
	b := bufio.NewReaderSize(s.Conn, 4096)
	first, err := b.Peek(1)
	if err != nil {
		return nil, End{} // it said nothing
	}
	s.Conn = &begun{Conn: s.Conn, b: b}
	const handshake = 22 // the type of a TLS record (RFC 8446, section 5.1)
	if first[0] != handshake {
		s.speaks("http")
		if first[0] == prefaceOfTwo[0] {
			preface, _ := b.Peek(len(prefaceOfTwo)) // where there is less it is another
			s.two = string(preface) == prefaceOfTwo
		}
		return s, s.ready()
	}
	s.speaks("https")
	if s.engine.cfg.Authority == nil {
		return nil, End{NotGranted, "this sandbox was begun without certificates of its own: begin it again"}
	}
	c := tls.Server(s, s.engine.tls)
	if err := c.HandshakeContext(s.ctx); err != nil {
		return nil, s.handshake(err)
	}
	s.two = c.ConnectionState().NegotiatedProtocol == "h2"
	return c, s.ready()
}

// prefaceOfTwo is how HTTP/2 begins without TLS (RFC 9113, section 3.4).
const prefaceOfTwo = "PRI * HTTP/2.0\r\n"

// speaks notes what the program speaks by this connection.
func (s *conn) speaks(scheme string) {
	s.to.Scheme = scheme
	s.authority = s.to.authority()
}

func (s *conn) ready() End {
	if err := s.Conn.SetDeadline(time.Time{}); err != nil {
		return End{DialFailed, err.Error()}
	}
	return End{}
}

// greeted compares the name that a hello asks for.
//
// Security: the certificate is for the name that the connection was allowed for,
// and requests are compared with the same. A hello for another name ends here, as
// it does where TLS is passed through.
func (e *Engine) greeted(h *tls.ClientHelloInfo) (*tls.Config, error) {
	s, ok := h.Conn.(*conn)
	if !ok {
		return nil, errors.New("a connection of another kind")
	}
	if h.ServerName == "" {
		return nil, nil //nolint:nilnil // the one configuration stands
	}
	name, err := address.Name(h.ServerName)
	if err != nil || name != s.to.Host {
		s.because(SNIMismatch, fmt.Sprintf("its TLS hello asks for %q", short(h.ServerName)))
		return nil, errMismatch
	}
	return nil, nil //nolint:nilnil // the one configuration stands
}

func (e *Engine) certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s, ok := h.Conn.(*conn)
	if !ok {
		return nil, errors.New("a connection of another kind")
	}
	c, err := e.cfg.Authority.Leaf(s.to.Host, time.Now())
	if errors.Is(err, authority.ErrBeyond) {
		s.because(NotGranted, "this sandbox was begun with certificates for other hosts: begin it again")
	}
	return c, err
}

// distrust are the alerts by which clients say that they do not trust a
// certificate (RFC 8446, section 6.2), as the standard library words them.
var distrust = []string{"bad certificate", "unknown certificate", "certificate unknown", "unsupported certificate", "unknown certificate authority"}

// handshake says why the program and this side did not agree on TLS.
func (s *conn) handshake(err error) End {
	if end := s.ended(); end.Reason != "" {
		return end
	}
	op, ok := errors.AsType[*net.OpError](err)
	distrusts := func(alert string) bool {
		return ok && op.Op == "remote error" && strings.HasSuffix(op.Err.Error(), alert)
	}
	// OpenSSL says it in TLS 1.3 with keys that the server cannot have yet.
	unread := ok && op.Op == "local error" && strings.HasSuffix(op.Err.Error(), "bad record MAC")
	if slices.ContainsFunc(distrust, distrusts) || unread || errors.Is(err, io.EOF) {
		return End{Distrust, "the program broke TLS off when it saw the sandbox's certificate: let it trust " +
			"the usual bundle of certificates, or grant the host without rules for requests"}
	}
	return End{Malformed, "no TLS: " + err.Error()}
}

// begun is a connection of which some was read.
type begun struct {
	net.Conn
	b *bufio.Reader
}

func (c *begun) Read(p []byte) (int, error) { return c.b.Read(p) }

// literal reports whether a host is an address.
func literal(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
