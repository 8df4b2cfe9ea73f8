package authority_test

import (
	"crypto/x509"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request/authority"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// verify looks at a leaf as a client does.
func verify(t *testing.T, by *authority.Authority, leaf []byte, name string) error {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(by.PEM()) {
		t.Fatal("no certificate in the bundle")
	}
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

func TestLeaf(t *testing.T) {
	a, err := authority.New(now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := authority.New(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"a.test", "1.2.3.4", "2001:db8::1", "x_y.test"} {
		leaf, err := a.Leaf(host, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t, a, leaf.Certificate[0], host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if verify(t, a, leaf.Certificate[0], "b.test") == nil {
			t.Errorf("the leaf of %s stands for another name", host)
		}
		if verify(t, other, leaf.Certificate[0], host) == nil {
			t.Errorf("the leaf of %s is trusted by another sandbox", host)
		}
		if again, _ := a.Leaf(host, now); again != leaf {
			t.Errorf("%s: made twice", host)
		}
		c, err := x509.ParseCertificate(leaf.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if c.IsCA || c.NotAfter.Sub(c.NotBefore) > 398*24*time.Hour || c.SerialNumber.Sign() <= 0 {
			t.Errorf("%s: %+v", host, c)
		}
	}
}
