// Package webhook asks a service by HTTP, which passes the question on to
// people: into a chat, for one.
//
// The question is posted as JSON, with a signature (HMAC-SHA256 with a secret
// that both sides have) over a time, a nonce and the body. The service answers
// in the response, which it may hold back as long as it likes, or says 202 and
// where to look for the answer later. docs/guide/asking-by-webhook.md describes
// it for those who write such a service, and api/ask.schema.json what is sent.
//
// Invariants:
//
//   - Only an answer that is signed, fresh, and for this very question counts.
//     Whatever else comes back (an error, a redirect, too much of it, something
//     that was not offered) is an error, and the front is out of this question.
//   - Nothing but TLS leaves this computer, and no other host than the one that
//     was named is spoken to.
//   - The secret is in no error and in no text.
//
// Layer: a front beneath approval.
package webhook

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/approval"
)

// Config is what a Front is made of.
type Config struct {
	URL    string
	Secret Secret
	Roots  *x509.CertPool // nil: those of the system
	Now    func() time.Time
	Nonce  func() string // nil: 128 random bits
}

// Front asks by HTTP. It is made by New and safe for concurrent use.
type Front struct {
	cfg    Config
	at     *url.URL
	client *http.Client
}

// New returns a front for a URL: https, or http to this very computer.
func New(cfg Config) (*Front, error) {
	at, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if len(cfg.Secret.key) == 0 {
		return nil, errors.New("questions by URL need a secret")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Nonce == nil {
		cfg.Nonce = nonce
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	if at.Scheme == "http" {
		dialer.Control = onlyLoopback
	}
	client := &http.Client{
		// No proxy: the environment is not what names who is spoken to.
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}, MaxResponseHeaderBytes: maxBody,
			MaxIdleConns: 4, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Front{cfg, at, client}, nil
}

// parseURL reads the URL of a service.
func parseURL(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the URL to ask by cannot be read") // it may hold a token
	}
	switch {
	case at.User != nil || at.Fragment != "":
		return nil, errors.New("the URL to ask by has a user or a fragment; the secret is given apart")
	case at.Hostname() == "":
		return nil, errors.New("the URL to ask by names no host; want https://HOST/PATH")
	case at.Scheme == "https", at.Scheme == "http" && loopback(at.Hostname()):
		return at, nil
	case at.Scheme == "http":
		return nil, fmt.Errorf("the URL to ask by is not encrypted; want https://%s, http is for this computer only", at.Host)
	}
	return nil, fmt.Errorf("the URL to ask by has the scheme %q; want https", at.Scheme)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// onlyLoopback refuses to dial anything but this computer, whatever a name was
// resolved to.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not this computer", address)
	}
	return nil
}

func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Name names the front by its host; a path may hold a token.
func (f *Front) Name() string { return "webhook " + f.at.Host }

// Ask asks, and waits for the answer.
func (f *Front) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	a, err := f.ask(ctx, q)
	if err != nil {
		if ctx.Err() != nil {
			return approval.Answer{}, ctx.Err()
		}
		return approval.Answer{}, fmt.Errorf("ask %s: %w", f.at.Host, plain(err))
	}
	return a, nil
}

// plain is an error without the URL that net/http puts into it.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
