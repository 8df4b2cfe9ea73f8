package address_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/address"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "127.1": "127.0.0.1", "127.0.1": "127.0.0.1", "2130706433": "127.0.0.1", "0x7f.1": "127.0.0.1",
		"0x7F000001": "127.0.0.1", "0177.0.0.1": "127.0.0.1", "017700000001": "127.0.0.1", "0": "0.0.0.0", "127.0.0.1.": "127.0.0.1",
		"0x.0x.0x.0x": "0.0.0.0", "1.2.65535": "1.2.255.255", "1.16777215": "1.255.255.255", "0xa9fea9fe": "169.254.169.254",
		"::ffff:127.0.0.1": "127.0.0.1", "::FFFF:7f00:1": "127.0.0.1", "[::1]": "::1", "0:0::1": "::1", "[2001:DB8::7]": "2001:db8::7",
	} {
		if a, err := address.Parse(text); err != nil || a.String() != want {
			t.Errorf("%q: got %s, %v; want %s", text, a, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "1.2.3.4.5", "256.0.0.1", "1.256.1", "1.2.65536", "4294967296", "08", "0x7g", "1..2", "+1", "1_0", "a", "1.2.3.-4", " 1.2.3.4",
		"fe80::1%eth0", "[1.2.3.4]", "[::1", "::1]", ":::", "1.2.3.4:80", "99999999999999999999",
	} {
		if a, err := address.Parse(text); !errors.Is(err, address.ErrNotAddress) {
			t.Errorf("%q was read as %s, %v", text, a, err)
		}
	}
}

func TestName(t *testing.T) {
	long := strings.Repeat("a", 63)
	longest := strings.Join([]string{long, long, long, long[:61]}, ".")
	for text, want := range map[string]string{
		"example.com": "example.com", "Example.COM.": "example.com", "_dmarc.a-b.test": "_dmarc.a-b.test", "localhost": "localhost",
		"xn--bcher-kva.example": "xn--bcher-kva.example", "XN--BCHER-KVA.example": "xn--bcher-kva.example", "b\u00fccher.example": "xn--bcher-kva.example",
		"B\u00dcCHER.example": "xn--bcher-kva.example", "fa\u00df.de": "xn--fa-hia.de", "example\u3002com": "example.com", "\uff45xample.com": "example.com",
		"r3---sn-x.test": "r3---sn-x.test", "1e100.net": "1e100.net", "4.in-addr.arpa": "4.in-addr.arpa", longest: longest, longest + ".": longest,
	} {
		if got, err := address.Name(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "..", "a..b", ".a", "a b", "a/b", "a:80", "*", "*.example.com", "-a.test", "a-.test", long + "a.test", longest + "b",
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "a.0x1", "a.1", "a.1.", "\uff11.2.3.4", "1\u30022\u30023\u30024",
		"xn--a", "xn--.test", "xn--example-.test", "xn--80ak6aa92e\u00e9.test", "a\x00b", "a\nb", "\u202eexample.com", "ex\u200bample.\u200dcom", "\xff.test",
	} {
		if got, err := address.Name(text); err == nil {
			t.Errorf("%q was read as %q", text, got)
		}
	}
}

func TestUnder(t *testing.T) {
	for _, tc := range []struct {
		name, base string
		want       bool
	}{
		{"a.example.com", "example.com", true}, {"a.b.example.com", "example.com", true}, {"example.com", "example.com", false},
		{"evil-example.com", "example.com", false}, {"example.com.evil.test", "example.com", false}, {"a.com", "", false}, {".com", "com", false},
	} {
		if got := address.Under(tc.name, tc.base); got != tc.want {
			t.Errorf("%q under %q: %v", tc.name, tc.base, got)
		}
	}
}

func TestClass(t *testing.T) {
	host := []netip.Prefix{netip.MustParsePrefix("8.8.4.4/32"), netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("2a00::1/128")}
	for want, texts := range map[address.Class][]string{
		address.Public:      {"8.8.8.8", "1.1.1.1", "2606:4700::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8", "172.32.0.1", "100.128.0.1"},
		address.Loopback:    {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"},
		address.Metadata:    {"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"},
		address.LinkLocal:   {"169.254.1.1", "fe80::1", "64:ff9b::169.254.0.9"},
		address.Private:     {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1", "fec0::1", "2002:a00:1::"},
		address.Shared:      {"100.64.0.1", "100.127.255.255"},
		address.Multicast:   {"224.0.0.251", "239.1.1.1", "ff02::fb"},
		address.Unspecified: {"0.0.0.0", "0.1.2.3", "::"},
		address.Special: {
			"192.0.2.1", "198.18.0.1", "198.19.255.3", "203.0.113.9", "240.0.0.1", "255.255.255.255", "2001:db8::1", "2001:2::1", "2001::1", "100::1",
			"2002:808:808::", "64:ff9b:1::808:808", "::8.8.8.8", "4000::1", "5f00::1",
		},
		address.Host: {"8.8.4.4", "172.17.0.5", "2a00::1", "64:ff9b::8.8.4.4", "2002:808:404::"},
	} {
		for _, text := range texts {
			if got := address.Of(netip.MustParseAddr(text), host...); got != want {
				t.Errorf("%s is %q, want %q", text, got, want)
			}
		}
	}
	if got := address.Of(netip.Addr{}); got != "" {
		t.Errorf("no address is %q", got)
	}
	if got := address.Of(netip.MustParseAddr("fe80::1%eth0")); got != address.LinkLocal {
		t.Errorf("with a zone: %q", got)
	}
}

// anyAddr draws addresses, those of the tables' edges more often.
var anyAddr = rapid.Custom(func(t *rapid.T) netip.Addr {
	edges := []string{"127.0.0.1", "10.0.0.0", "169.254.169.254", "100.64.0.0", "198.17.255.255", "64:ff9b::", "2002::", "2000::", "fc00::", "::ffff:0:0"}
	if rapid.Bool().Draw(t, "edge") {
		b := netip.MustParseAddr(rapid.SampledFrom(edges).Draw(t, "base")).As16()
		b[rapid.IntRange(0, 15).Draw(t, "at")] += rapid.Byte().Draw(t, "by")
		return netip.AddrFrom16(b)
	}
	if rapid.Bool().Draw(t, "4") {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], rapid.Uint32().Draw(t, "v4"))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))
	return netip.AddrFrom16(b)
})

// TestCarriedClass: an address has the class of the IPv4 address that it carries.
func TestCarriedClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], rapid.Uint32().Draw(t, "v4"))
		plain := netip.AddrFrom4(b)
		mapped := netip.AddrFrom16(plain.As16())
		if address.Of(mapped) != address.Of(plain) {
			t.Fatalf("%s: %s and %s", plain, address.Of(mapped), address.Of(plain))
		}
		nat := netip.MustParseAddr("64:ff9b::").As16()
		copy(nat[12:], b[:])
		sixto4 := netip.MustParseAddr("2002::").As16()
		copy(sixto4[2:], b[:])
		if got := address.Of(netip.AddrFrom16(nat)); got != address.Of(plain) {
			t.Fatalf("NAT64 of %s: %s", plain, got)
		}
		if got := address.Of(netip.AddrFrom16(sixto4)); got == address.Public || address.Of(plain) != address.Public && got != address.Of(plain) {
			t.Fatalf("6to4 of %s: %s", plain, got)
		}
	})
}

// TestPublicAgrees: what is public here is public to the capabilities.
func TestPublicAgrees(t *testing.T) {
	nat64 := netip.MustParsePrefix("64:ff9b::/96")
	rapid.Check(t, func(t *rapid.T) {
		a := anyAddr.Draw(t, "address")
		if address.Of(a) == address.Public && !capability.Public(a) && !nat64.Contains(a) {
			t.Fatalf("%s: public here and not to net.connect:*", a)
		}
	})
}

// TestIdempotent: a canonical spelling is its own, and agrees with the spelling
// of capabilities.
func TestIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z0-9_.\-xü]{1,20}`).Draw(t, "text")
		name, err := address.Name(text)
		_, notAddress := address.Parse(text)
		if err == nil && notAddress == nil {
			t.Fatalf("%q is a name and an address", text)
		}
		if err != nil {
			return
		}
		if again, err := address.Name(name); err != nil || again != name {
			t.Fatalf("%q: %q, then %q, %v", text, name, again, err)
		}
		c, err := capability.Parse("net.connect:" + name + ":1")
		if err != nil || c.Scope() != name+":1" {
			t.Fatalf("%q is no canonical scope: %v", name, err)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.test", "xn--bcher-kva.example", "0x7f.1", "ａ.test", "a\x00", "xn--\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := address.Name(text)
		if err != nil {
			return
		}
		if again, err := address.Name(name); err != nil || again != name || address.Numeric(name) || len(name) > 253 {
			t.Errorf("%q: %q, then %q, %v", text, name, again, err)
		}
		if a, err := address.Parse(name); err == nil {
			t.Errorf("%q is also the address %s", name, a)
		}
	})
}
