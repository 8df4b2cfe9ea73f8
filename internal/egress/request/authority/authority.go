// Package authority issues the certificates of one sandbox, for the connections
// that are opened.
//
// An Authority lives as long as its sandbox. Its key is made for it, is in the
// memory of the process that made it, and is neither written nor given away; its
// certificate is trusted inside that sandbox and nowhere else.
//
// Layer: values; it does no I/O.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"sync"
	"time"
)

// Name is what the certificate is called, where a program shows it.
const Name = "Ambit, for one sandbox"

// Times for which certificates are good. Clients refuse leaves that are good for
// longer than some 398 days; a little of the past is for clocks that differ.
const (
	valid = 397 * 24 * time.Hour
	slack = time.Hour
)

// maxLeaves is how many are kept. Beyond it all are made anew.
const maxLeaves = 1024

// An Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	der  []byte
	cert *x509.Certificate
	key  crypto.Signer
	leaf *ecdsa.PrivateKey // one for all leaves

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // guarded by mu
}

// New makes one with a key of its own.
func New(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of an authority: %w", err)
	}
	t := template(now)
	t.Subject = pkix.Name{CommonName: Name}
	t.IsCA, t.MaxPathLenZero, t.BasicConstraintsValid = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of an authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of an authority: %w", err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of an authority's leaves: %w", err)
	}
	return &Authority{der: der, cert: cert, key: key, leaf: leaf, leaves: map[string]*tls.Certificate{}}, nil
}

// PEM is the certificate as it stands in a bundle.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
}

// Leaf returns a certificate for a name, or for an address in its text.
func (a *Authority) Leaf(host string, now time.Time) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil {
		return c, nil
	}
	t := template(now)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if addr, err := netip.ParseAddr(host); err == nil {
		t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, a.leaf.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %q: %w", host, err)
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.der}, PrivateKey: a.leaf}
	a.leaves[host] = c
	return c, nil
}

// template has what all certificates have in common.
func template(now time.Time) *x509.Certificate {
	// 127 bits, as the first one is to be 0 and not all of them may be.
	serial := new(big.Int).SetBytes(random(16))
	serial.SetBit(serial, 127, 0).SetBit(serial, 0, 1)
	return &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-slack), NotAfter: now.Add(valid)}
}

// random cannot fail: crypto/rand ends the process before it does.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
