package ambit

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// A Port is a host that listens (`ambit serve --listen`), and what it is known by. A
// Port with neither Fingerprint nor CAFile is known by the authorities that this
// machine trusts.
type Port struct {
	URL string // https://HOST:PORT

	// The token (`ambit token add`), or a file that has it and nothing else. It is no
	// argument of a program: those are seen by every user of a machine.
	Token, TokenFile string

	// Fingerprint is the SHA-256 of the host's certificate, as the host says it when it
	// starts: whoever shows this certificate is the host, by whatever name.
	Fingerprint string
	// CAFile has the certificates that the host's own is to be signed by, as PEM; its own
	// where it signs itself (host/tls.crt in its state folder).
	CAFile string

	// Proxy has requests go by the proxy that HTTPS_PROXY names. It does not see what is
	// sent; without it the variable is not read.
	Proxy bool
}

// DialPort makes a client of a host that listens on a port. It fails if no host answers
// there, if it is not the one that is meant, and if it does not know the token.
func DialPort(ctx context.Context, p Port) (*Client, error) {
	address, err := origin(p.URL)
	if err != nil {
		return nil, err
	}
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	certificates, err := p.certificates()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTime, KeepAlive: alive}).DialContext,
		TLSClientConfig:     certificates,
		TLSHandshakeTimeout: connectTime,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     time.Minute,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: alive, PingTimeout: alive},
	}
	if p.Proxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	c, err := newClient(ctx, bearer{token, t}, address)
	if err != nil {
		return nil, fmt.Errorf("reach the host at %s: %w", address, err)
	}
	return c, nil
}

// DialEnv makes a client of the host that the environment names: the port in AMBIT_HOST
// (https://HOST:PORT), with AMBIT_TOKEN_FILE or AMBIT_TOKEN and AMBIT_FINGERPRINT or
// AMBIT_CA_FILE as in Port; without AMBIT_HOST the socket, as Dial does.
func DialEnv(ctx context.Context) (*Client, error) {
	address := os.Getenv("AMBIT_HOST")
	if address == "" {
		return Dial(ctx, "")
	}
	return DialPort(ctx, Port{URL: address, Token: os.Getenv("AMBIT_TOKEN"), TokenFile: os.Getenv("AMBIT_TOKEN_FILE"),
		Fingerprint: os.Getenv("AMBIT_FINGERPRINT"), CAFile: os.Getenv("AMBIT_CA_FILE")})
}

const (
	connectTime = 10 * time.Second // for a connection, and for its handshake
	alive       = 15 * time.Second // after which a silent host is asked whether it is there
)

// origin is the address of a host without anything else.
func origin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("the address of a host is https://HOST:PORT, not %q", text)
	}
	return "https://" + u.Host, nil
}

func (p Port) token() (string, error) {
	token := p.Token
	if p.TokenFile != "" {
		if token != "" {
			return "", errors.New("of a token and a file that has it, one is to be given")
		}
		text, err := os.ReadFile(p.TokenFile)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token = string(text)
	}
	if token = strings.TrimSpace(token); token == "" {
		return "", errors.New("a host's port wants a token (`ambit token add` makes one)")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("what was given as a token is none") // and is not shown
	}
	return token, nil
}

// certificates says whom to take for the host.
//
// Security: with a fingerprint neither names nor authorities are looked at, and
// VerifyConnection, which each connection goes through before anything is sent, takes
// this one certificate alone.
func (p Port) certificates() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	switch {
	case p.Fingerprint != "" && p.CAFile != "":
		return nil, errors.New("of a fingerprint and a file of authorities, one is to be given")
	case p.Fingerprint != "":
		want, err := fingerprint(p.Fingerprint)
		if err != nil {
			return nil, err
		}
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("it shows no certificate")
			}
			got := sha256.Sum256(s.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare(got[:], want) != 1 {
				return fmt.Errorf("it shows a certificate with the fingerprint %X, and not the one that is meant", got)
			}
			return nil
		}
	case p.CAFile != "":
		text, err := os.ReadFile(p.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("there is no certificate in %q", p.CAFile)
		}
	}
	return c, nil
}

// fingerprint reads one as it is printed, with or without colons.
func fingerprint(text string) ([]byte, error) {
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(text), "SHA-256 "), ":", "")
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("the fingerprint %q is not a SHA-256 in hexadecimal digits", text)
	}
	return sum, nil
}

// A bearer sends a token with each request. Its requests go to one host: redirects are
// refused.
type bearer struct {
	token string
	next  *http.Transport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

func (b bearer) CloseIdleConnections() { b.next.CloseIdleConnections() }
