package escape_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path"
	"strings"
	"time"
)

// serve begins one service of a stage.
func (s stage) serve(v service) error {
	if v.Kind == "udp" {
		c, err := net.ListenPacket("udp", v.At)
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 1500)
			for {
				_, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				s.note(v.Name)
				_, _ = c.WriteTo([]byte(s.Token), from)
			}
		}()
		return nil
	}
	l, err := net.Listen("tcp", v.At)
	if err != nil {
		return err
	}
	switch v.Kind {
	case "tls":
		l, err = withTLS(l)
	case "http":
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.note(v.Name)
				if v.To != "" {
					http.Redirect(w, r, v.To, http.StatusFound)
					return
				}
				fmt.Fprintln(w, s.Token, "for", r.Host)
			}))
		}()
		return nil
	case "guarded":
		var p http.Protocols
		p.SetHTTP1(true)
		p.SetUnencryptedHTTP2(true)
		h := &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.guarded(v, w, r) })}
		go func() { _ = h.Serve(l) }()
		return nil
	}
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.tell(v, c)
		}
	}()
	return nil
}

// guarded gives the token for whatever is not GET of /ok and beneath, as a server
// takes a path that makes it plain first.
func (s stage) guarded(v service, w http.ResponseWriter, r *http.Request) {
	at := path.Clean(strings.ReplaceAll(r.URL.Path, "..;", ".."))
	host, _, _ := strings.Cut(r.Host, ":")
	if r.Method == http.MethodGet && (at == "/ok" || strings.HasPrefix(at, "/ok/")) && host == "allowed.test" && r.Header.Get("Upgrade") == "" {
		fmt.Fprintln(w, "fine")
		return
	}
	s.note(v.Name)
	fmt.Fprintln(w, s.Token)
}

// tell gives a client the token. With TLS it counts who has said what he wants.
func (s stage) tell(v service, c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if t, ok := c.(*tls.Conn); ok && t.Handshake() != nil {
		return
	}
	s.note(v.Name)
	_, _ = io.WriteString(c, s.Token+"\n")
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
}

// withTLS answers for every name, as a network of servers for many does.
func withTLS(l net.Listener) (net.Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}), nil
}

// dialTLS connects to an address, asks for a name, and reads.
func (f *field) dialTLS(address, name string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	t := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	buf := make([]byte, 64)
	n, err := t.Read(buf)
	f.note.Write(buf[:n])
	return err
}

// errAllowed ends a try whose steps were all allowed and none of which is the harm.
var errAllowed = errors.New("all of it was allowed")

// dialSilently is dial without a word about what came: it may be the token.
func (f *field) dialSilently(at string) error {
	c, err := net.DialTimeout("tcp4", at, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.ReadAll(c)
	return err
}
