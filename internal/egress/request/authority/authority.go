// Package authority issues the certificates of one sandbox, for the connections
// that are opened.
//
// An Authority lives as long as its sandbox. It has a root, which is trusted inside
// that sandbox and nowhere else, and an issuer beneath it, which signs. The root's
// key is made for it and thrown away once it has signed the issuer, and certificates
// of the first names: what is signed by who is trusted takes each connection of a program
// one signature less to verify. The issuer's key is in the memory of the process that
// made it. Neither is written or given away.
//
// Invariants:
//
//   - What is issued can only speak for the names and addresses that Limit was
//     called with, to every client that keeps to RFC 5280: the bounds stand in a
//     certificate beneath the root, since some clients look for none in what they
//     trust (TestLimit, TestClients).
//   - Nothing is issued before Limit was called, and it is called once.
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
	"errors"
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

// maxFirst is how many names have their certificates from the root: each takes 0.1 ms of
// the sandbox's start, which its first connection is spared.
const maxFirst = 1

// maxLeaves is how many are kept. Beyond it all are made anew.
const maxLeaves = 1024

// An Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	root *x509.Certificate
	leaf *ecdsa.PrivateKey // one for all leaves

	mu     sync.Mutex
	spare  crypto.Signer               // the root's key; guarded by mu; nil once it has signed
	names  Names                       // guarded by mu
	issuer *x509.Certificate           // guarded by mu; nil before Limit
	key    crypto.Signer               // the issuer's; guarded by mu
	leaves map[string]*tls.Certificate // guarded by mu
}

// New makes one with keys of its own.
func New(now time.Time) (*Authority, error) {
	t := template(now)
	t.Subject = pkix.Name{CommonName: Name}
	t.IsCA, t.MaxPathLen, t.BasicConstraintsValid = true, 1, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	root, key, err := certify(t, nil, nil)
	if err != nil {
		return nil, err
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of an authority's leaves: %w", err)
	}
	return &Authority{root: root, spare: key, leaf: leaf, leaves: map[string]*tls.Certificate{}}, nil
}

// certify makes a certificate with a key of its own. Without a parent it signs
// itself.
func certify(t, parent *x509.Certificate, by crypto.Signer) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of an authority: %w", err)
	}
	if parent == nil {
		parent, by = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
	if err != nil {
		return nil, nil, fmt.Errorf("make the certificate of an authority: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read the certificate of an authority: %w", err)
	}
	return c, key, nil
}

// Limit says for whom certificates are issued from now on.
//
// Security: afterwards the root's key is nowhere. Whoever gets the issuer's can
// speak for these names, and for no other to anybody.
func (a *Authority) Limit(names Names, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spare == nil {
		return errors.New("an authority was limited twice")
	}
	t := template(now)
	t.Subject = pkix.Name{CommonName: Name + ": issuer"}
	t.IsCA, t.MaxPathLenZero, t.BasicConstraintsValid = true, true, true
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageCertSign, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if err := names.constrain(t); err != nil {
		return err
	}
	root := a.spare
	a.spare = nil
	issuer, key, err := certify(t, a.root, root)
	if err != nil {
		return err
	}
	if !names.Any {
		for _, host := range names.Names[:min(len(names.Names), maxFirst)] {
			der, err := a.sign(host, now, a.root, root)
			if err != nil {
				return err
			}
			a.leaves[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leaf}
		}
	}
	a.names, a.issuer, a.key = names, issuer, key
	return nil
}

// PEM is the root as it stands in a bundle.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// ErrBeyond says that certificates are not issued for a host.
var ErrBeyond = errors.New("the sandbox's certificates are not for this host")

// Leaf returns a certificate for a name, or for an address in its text.
func (a *Authority) Leaf(host string, now time.Time) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil {
		return c, nil
	}
	if a.issuer == nil || !a.names.cover(host) {
		return nil, ErrBeyond
	}
	der, err := a.sign(host, now, a.issuer, a.key)
	if err != nil {
		return nil, err
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.issuer.Raw}, PrivateKey: a.leaf}
	a.leaves[host] = c
	return c, nil
}

// sign makes the certificate of a name, or of an address in its text.
func (a *Authority) sign(host string, now time.Time, by *x509.Certificate, key crypto.Signer) ([]byte, error) {
	t := template(now)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if addr, err := netip.ParseAddr(host); err == nil {
		t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, by, a.leaf.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %q: %w", host, err)
	}
	return der, nil
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
