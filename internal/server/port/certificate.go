package port

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A Certificate is what a port shows, which may be another one later.
type Certificate struct {
	cert, key string // files
	now       atomic.Pointer[tls.Certificate]
}

// LoadCertificate reads a certificate and its key from files.
func LoadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	return c, c.Load()
}

// Load reads the files again. Where that fails, what was read before is shown on.
//
// Security: whoever has the key is this host; a key that others may read is refused.
func (c *Certificate) Load() error {
	info, err := os.Stat(c.key)
	if err != nil {
		return fmt.Errorf("read the key of the certificate: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); info.Mode().Perm()&0o027 != 0 || ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the key %q is another user's, or others may read it", c.key)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the certificate %q: %w", c.cert, err)
	}
	c.now.Store(&pair)
	return nil
}

// Fingerprint is SHA-256 of the certificate, as browsers show it.
func (c *Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.now.Load().Certificate[0])
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	return strings.Join(pairs, ":")
}

// TLS is how a port speaks.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil }}
}

const (
	ownLasts = 397 * 24 * time.Hour // browsers take none that lasts longer than 398 days
	ownSpare = 30 * 24 * time.Hour  // before its end another one is made
)

// OwnCertificate is the one that nobody but this host vouches for. It is made once,
// and made anew when a name is missing in it or its end is near.
func OwnCertificate(dir string, hosts []string, now time.Time) (*Certificate, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	want := ownNames(hosts)
	c, err := LoadCertificate(cert, key)
	switch {
	case err == nil && fits(c.now.Load().Leaf, want, now):
		return c, nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	if err := makeOwn(cert, key, want, now); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return LoadCertificate(cert, key)
}

// ownNames are what a host may be called by in its own certificate.
func ownNames(hosts []string) []string {
	all := []string{"localhost", OwnName, "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "" {
		all = append(all, strings.ToLower(name))
	}
	for _, h := range hosts {
		if a, err := netip.ParseAddr(h); err == nil && a.IsUnspecified() {
			continue
		}
		if h = strings.ToLower(h); h != "" && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

func fits(leaf *x509.Certificate, want []string, now time.Time) bool {
	if leaf == nil || now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < ownSpare {
		return false
	}
	for _, name := range want {
		if leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

func makeOwn(cert, key string, want []string, now time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	about := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "Ambit on " + want[len(want)-1]},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownLasts), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range want {
		if a := net.ParseIP(name); a != nil {
			about.IPAddresses = append(about.IPAddresses, a)
		} else {
			about.DNSNames = append(about.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := replace(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})); err != nil {
		return err
	}
	return replace(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// replace writes a file whole or not at all, for this user alone (CreateTemp: 0600).
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
