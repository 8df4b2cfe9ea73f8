package escape_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
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
	case "hidden":
		go s.hidden(v, l)
		return nil
	case "vouched":
		return s.vouched(v, l)
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

// secretValue is the secret whose arrival a vouched server answers with the token.
const secretValue = "value-of-the-secret"

// vouched is a server whose certificate is the only root in a file beside Reached.
func (s stage) vouched(v service, l net.Listener) error {
	cert, err := certificateOf("forbidden.test", "other.test")
	if err != nil {
		return err
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := os.WriteFile(s.Reached+"-root.pem", root, 0o644); err != nil {
		return err
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.note(v.Name); strings.Contains(r.Header.Get("Authorization"), secretValue) {
			fmt.Fprintln(w, s.Token)
		}
	})
	go func() { _ = http.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}), h) }()
	return nil
}

// tell gives a client the token. With TLS it counts who has said what he wants.
func (s stage) tell(v service, c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTime))
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

// hidden is a server of many names that takes encrypted hellos (ECH). It gives the
// token to whoever asks for other.test.
func (s stage) hidden(v service, l net.Listener) {
	cert, err := anyCertificate()
	if err != nil {
		panic(err)
	}
	key, config := hiddenKey()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: key}}}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(dialTime))
			t := tls.Server(c, cfg)
			if t.Handshake() != nil || t.ConnectionState().ServerName != "other.test" {
				return
			}
			s.note(v.Name)
			_, _ = io.WriteString(t, s.Token+"\n")
		}()
	}
}

// hiddenKey is the key for encrypted hellos, and how it is published (RFC 9849,
// section 4) with allowed.test as the name that stands in the open.
func hiddenKey() (key, config []byte) {
	sum := sha256.Sum256([]byte("both sides know it"))
	k, err := ecdh.X25519().NewPrivateKey(sum[:])
	if err != nil {
		panic(err)
	}
	const public = "allowed.test"
	sized := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	body := "\x01\x00\x20" + sized(string(k.PublicKey().Bytes())) + sized("\x00\x01\x00\x01") + "\x20" + string([]byte{byte(len(public))}) + public + sized("")
	return k.Bytes(), []byte("\xfe\x0d" + sized(body))
}

// dialHidden asks a server in an encrypted hello for another name than the one
// that stands in the open.
func (f *field) dialHidden(address, name string) error {
	c, err := net.DialTimeout("tcp", address, dialTime)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTime))
	_, config := hiddenKey()
	list := append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)
	t := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true, EncryptedClientHelloConfigList: list,
		EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil }})
	buf := make([]byte, 64)
	n, err := t.Read(buf)
	f.note.Write(buf[:n])
	return err
}

// withTLS answers for every name, as a network of servers for many does.
func withTLS(l net.Listener) (net.Listener, error) {
	cert, err := anyCertificate()
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}), nil
}

// anyCertificate is one that nobody should believe.
func anyCertificate() (tls.Certificate, error) { return certificateOf() }

// certificateOf is one for some names, signed by itself.
func certificateOf(names ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// dialTLS connects to an address, asks for a name, and reads.
func (f *field) dialTLS(address, name string) error {
	c, err := net.DialTimeout("tcp", address, dialTime)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTime))
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
	c, err := net.DialTimeout("tcp4", at, dialTime)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.ReadAll(c)
	return err
}
