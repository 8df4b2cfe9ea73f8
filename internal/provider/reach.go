package provider

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of what is asked of a provider.
const (
	askWithin  = 10 * time.Second
	maxAnswer  = 512 << 10 // bytes
	maxHeaders = 64 << 10
)

// hostPort is where an address leads to.
func hostPort(u *url.URL) string {
	number := u.Port()
	if number == "" {
		number = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), number)
}

// reaches is why an address may not be asked; nil where it may.
func (c *Config) reaches(u *url.URL) error {
	if u.Scheme != "https" || u.User != nil || !slices.Contains(c.hosts, hostPort(u)) {
		return fmt.Errorf("%s://%s is not at the issuer's host, nor at one of \"hosts\"", u.Scheme, u.Host)
	}
	return nil
}

// reach is what asks the provider.
//
// Security: the process that has the port gets to no more by it than to the hosts that
// a person named, whatever they answer: no redirect is followed, no proxy of the
// environment asked, and an answer has a bound of time and of size. Who answers has to
// have a certificate for the name, wherever that leads to.
func reach(cfg Config) (*http.Client, error) {
	by := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		text, err := readOwn(cfg.CA, 0o022)
		if err != nil {
			return nil, fmt.Errorf("read who vouches for the provider in %q: %w", cfg.CA, err)
		}
		by.RootCAs = x509.NewCertPool()
		if !by.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%q has no certificate", cfg.CA)
		}
	}
	next := &http.Transport{TLSClientConfig: by, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: askWithin, MaxResponseHeaderBytes: maxHeaders}
	return &http.Client{Transport: &bounded{cfg, next}, Timeout: askWithin, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // and that is no answer
	}}, nil
}

// bounded asks the hosts of a configuration.
type bounded struct {
	cfg  Config
	next http.RoundTripper
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.cfg.reaches(r.URL); err != nil {
		return nil, err
	}
	a, err := b.next.RoundTrip(r)
	if err == nil {
		a.Body = &shortBody{a.Body, maxAnswer}
	}
	return a, err
}

var errTooLong = errors.New("the answer of the provider is too long")

// A shortBody fails where it is longer than it may be: what was cut off is no answer.
type shortBody struct {
	io.ReadCloser
	left int64
}

func (s *shortBody) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errTooLong
	}
	return n, err
}
