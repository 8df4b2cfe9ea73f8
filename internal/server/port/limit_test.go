package port_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/token"
)

// After ten failures in a minute nobody of that address is asked any more who it is;
// who is known goes on.
func TestFailedLogins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	try := func(proof string) int {
		return s.send(t, exchange{path: "/login", body: proof, header: jsonBody()}).status
	}
	for i := range 10 {
		if got := try(asToken(token.New())); got != http.StatusUnauthorized {
			t.Fatalf("failure %d is answered %d", i, got)
		}
	}
	if got := try(asToken(s.tokens[server.Admin])); got != http.StatusTooManyRequests {
		t.Errorf("after ten failures a login is answered %d", got)
	}
	if a := s.send(t, exchange{path: version, body: "{}", header: jsonBody(bearer(token.New())...)}); a.status != http.StatusTooManyRequests {
		t.Errorf("after ten failures a wrong token is answered %d", a.status)
	}
	if a := s.send(t, exchange{path: version, body: "{}", header: jsonBody(bearer(s.tokens[server.Admin])...)}); a.status != http.StatusOK {
		t.Errorf("who is known is answered %d %s", a.status, a.body)
	}
	s.clock.add(time.Minute)
	if got := try(asToken(s.tokens[server.Admin])); got != http.StatusOK {
		t.Errorf("a minute later a login is answered %d", got)
	}
}

// Who is known has a bound as well, of its own.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	get := func(role server.Role) int {
		return s.send(t, exchange{method: http.MethodGet, path: "/me", header: bearer(s.tokens[role])}).status
	}
	for i := range 3000 { // the clock stands still
		if got := get(server.Viewer); got != http.StatusOK {
			t.Fatalf("request %d is answered %d", i, got)
		}
	}
	if got := get(server.Viewer); got != http.StatusTooManyRequests {
		t.Errorf("one more is answered %d", got)
	}
	if got := get(server.Admin); got != http.StatusOK {
		t.Errorf("somebody else is answered %d", got)
	}
	s.clock.add(time.Second)
	if got := get(server.Viewer); got != http.StatusOK {
		t.Errorf("a second later it is answered %d", got)
	}
}

// Who sends a request slowly, its headers or its body, is not waited for; meanwhile
// others are served.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := serveSite(t, func(h *http.Server) { // what there is, shorter: so that a test may wait for it
		h.ReadHeaderTimeout, h.ReadTimeout = min(h.ReadHeaderTimeout, 5*time.Second), min(h.ReadTimeout, 5*time.Second)
	})
	slow := map[string]net.Conn{}
	for name, text := range map[string]string{
		"headers": "POST " + version + " HTTP/1.1\r\nHost: " + s.host + "\r\nX-A: ",
		"a body": "POST " + version + " HTTP/1.1\r\nHost: " + s.host + "\r\nAuthorization: Bearer " + s.tokens[server.Admin] +
			"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"a login": "POST /login HTTP/1.1\r\nHost: " + s.host + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		// Whose certificate it is, TestOwnCertificate looks at.
		c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", s.host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		slow[name] = c
	}
	for name, c := range slow {
		if a := s.send(t, exchange{path: version, body: "{}", header: jsonBody(bearer(s.tokens[server.Viewer])...)}); a.status != http.StatusOK {
			t.Errorf("meanwhile somebody else is answered %d", a.status)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is held open", name)
		}
	}
}

// A port shows a certificate of its own that is made once, for the names that it has,
// with a key that nobody else may read; one that is named has to be kept so too.
func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "host")
	now := time.Now()
	first, err := port.OwnCertificate(dir, []string{"192.0.2.7"}, now)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "tls.key"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the key has the mode %v %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", port.OwnName, "127.0.0.1", "::1", "192.0.2.7", name} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Errorf("it is not good for %s: %v", host, err)
		}
	}
	if leaf.VerifyHostname("evil.example") == nil || leaf.IsCA || leaf.PublicKeyAlgorithm != x509.ECDSA {
		t.Error("it is good for anything")
	}
	prints := map[string]string{"first": first.Fingerprint()}
	for when, names := range map[string][]string{"again": {"192.0.2.7"}, "more names": {"192.0.2.7", "ambit.example.org"}} {
		c, err := port.OwnCertificate(dir, names, now)
		if err != nil {
			t.Fatal(err)
		}
		if prints[when] = c.Fingerprint(); when == "again" && prints[when] != prints["first"] && prints["more names"] == "" {
			t.Error("it is made each time")
		}
	}
	if prints["more names"] == prints["first"] {
		t.Error("it is not made anew for another name")
	}
	late, err := port.OwnCertificate(dir, []string{"192.0.2.7"}, now.Add(390*24*time.Hour))
	if err != nil || late.Fingerprint() == prints["more names"] {
		t.Errorf("it is not made anew before its end: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "tls.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := port.LoadCertificate(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); err == nil || !strings.Contains(err.Error(), "others may read") {
		t.Errorf("a key that others may read: %v", err)
	}
}
