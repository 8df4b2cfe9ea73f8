package authority_test

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request/authority"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// limited is an authority for some names.
func limited(t *testing.T, names authority.Names) *authority.Authority {
	t.Helper()
	a, err := authority.New(now)
	if err == nil {
		err = a.Limit(names, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verify looks at a chain as a client does.
func verify(t *testing.T, by *authority.Authority, chain [][]byte, name string) error {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(by.PEM()) {
		t.Fatal("no certificate in the bundle")
	}
	var all []*x509.Certificate
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for _, c := range all[1:] {
		between.AddCert(c)
	}
	_, err := all[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name, CurrentTime: now})
	return err
}

func TestLeaf(t *testing.T) {
	a, other := limited(t, authority.Names{Any: true}), limited(t, authority.Names{Any: true})
	for _, host := range []string{"a.test", "1.2.3.4", "2001:db8::1", "x_y.test"} {
		leaf, err := a.Leaf(host, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t, a, leaf.Certificate, host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if verify(t, a, leaf.Certificate, "b.test") == nil {
			t.Errorf("the leaf of %s stands for another name", host)
		}
		if verify(t, other, leaf.Certificate, host) == nil {
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

// TestLimit: certificates are issued for the names of an authority, which is said
// once, and for nobody else; clients believe them.
func TestLimit(t *testing.T) {
	range10 := netip.MustParsePrefix("10.0.0.0/8")
	for _, tc := range []struct {
		names authority.Names
		host  string
		ok    bool
	}{
		{authority.Names{Names: []string{"a.test", "b.test"}}, "b.test", true},
		{authority.Names{Names: []string{"a.test"}}, "x.a.test", true},
		{authority.Names{Names: []string{"x_y.test"}}, "x_y.test", true},
		{authority.Names{Names: []string{"a.test"}}, "b.test", false},
		{authority.Names{Names: []string{"a.test"}}, "xa.test", false},
		{authority.Names{Names: []string{"a.test"}}, "test", false},
		{authority.Names{Names: []string{"a.test"}}, "10.0.0.1", false},
		{authority.Names{Names: []string{"a.test"}, Addrs: []netip.Prefix{range10}}, "10.0.0.1", true},
		{authority.Names{Addrs: []netip.Prefix{range10}}, "11.0.0.1", false},
		{authority.Names{Addrs: []netip.Prefix{range10}}, "::1", false},
		{authority.Names{Addrs: []netip.Prefix{range10}}, "a.test", false},
		{authority.Names{Addrs: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/128")}}, "2001:db8::1", true},
		{authority.Names{}, "a.test", false},
		{authority.Names{}, "10.0.0.1", false},
	} {
		a := limited(t, tc.names)
		leaf, err := a.Leaf(tc.host, now)
		if tc.ok && err == nil {
			err = verify(t, a, leaf.Certificate, tc.host)
		}
		if tc.ok != (err == nil) || err != nil && !errors.Is(err, authority.ErrBeyond) {
			t.Errorf("%v, %s: %v", tc.names, tc.host, err)
		}
	}
	a, err := authority.New(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Leaf("a.test", now); !errors.Is(err, authority.ErrBeyond) {
		t.Errorf("without a limit: %v", err)
	}
	if err := a.Limit(authority.Names{Names: []string{"a.test"}}, now); err != nil {
		t.Fatal(err)
	}
	if err := a.Limit(authority.Names{Any: true}, now); err == nil {
		t.Error("it was limited twice")
	}
	if _, err := a.Leaf("b.test", now); !errors.Is(err, authority.ErrBeyond) {
		t.Errorf("after a second limit: %v", err)
	}
	if a, err = authority.New(now); err != nil || a.Limit(authority.Names{Names: make([]string, 2000)}, now) == nil {
		t.Errorf("too many names: %v", err)
	}
}

// TestFirst: the first name's certificate is the root's own and leads no further; those
// of others have the issuer behind them, and so have all where anybody may be reached.
func TestFirst(t *testing.T) {
	names := []string{"a.test", "b.test"}
	for _, tc := range []struct {
		names authority.Names
		host  string
		chain int
	}{
		{authority.Names{Names: names}, "a.test", 1},
		{authority.Names{Names: names}, "b.test", 2},
		{authority.Names{Names: names}, "below.a.test", 2},
		{authority.Names{Names: names, Any: true}, "a.test", 2},
	} {
		a := limited(t, tc.names)
		leaf, err := a.Leaf(tc.host, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(leaf.Certificate) != tc.chain {
			t.Errorf("%s: %d certificates, want %d", tc.host, len(leaf.Certificate), tc.chain)
		}
		if err := verify(t, a, leaf.Certificate, tc.host); err != nil {
			t.Errorf("%s: %v", tc.host, err)
		}
		if tc.chain > 1 {
			continue
		}
		if verify(t, a, leaf.Certificate, "below."+tc.host) == nil || verify(t, limited(t, tc.names), leaf.Certificate, tc.host) == nil {
			t.Error("it stands for another name, or in another sandbox")
		}
		if c, err := x509.ParseCertificate(leaf.Certificate[0]); err != nil || c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Errorf("%+v, %v", c, err)
		}
	}
}
