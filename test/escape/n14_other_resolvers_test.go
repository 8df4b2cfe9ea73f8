package escape_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

func TestN14OtherResolvers(t *testing.T) {
	needStage(t)
	own := func(f *field) string { // the name server that there is
		if f.Inside {
			return "198.19.255.3:53"
		}
		return "127.0.0.1:53"
	}
	attack{
		ID: "N14", Title: "carry words out as a lookup",
		Reference: "DNS tunnels (iodine, dnscat2); allow lists that leave port 53 open; a denied name that hangs for 4 s (greywall)",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"*": {"93.184.215.14"}}, Services: []service{{Name: "resolver", At: ":853"}, {Name: "resolver", At: ":443"}}})
		},
		Flags: func(*field) []string { return []string{"--allow", "net.connect:example.test:8080"} },
		Harm: func(f *field) string {
			for _, name := range f.comers() {
				if name == "resolver" || strings.HasPrefix(name, "dns-secret-bytes") {
					return name + " was reached"
				}
			}
			return ""
		},
		Tries: []try{
			{Name: "a chosen resolver", Want: refused(unix.ECONNREFUSED), Do: func(*field) error { return query("8.8.8.8:53", dnsmessage.TypeA, dialTime) }},
			{Name: "one of IPv6", NoControl: "the host may have no IPv6", Want: refused(), Do: func(*field) error { return query("[2001:4860:4860::8888]:53", dnsmessage.TypeA, dialTime) }},
			{Name: "the resolver of the host", NoControl: "its own loopback is another one inside", Want: refused(), Do: func(*field) error { return query("127.0.0.1:53", dnsmessage.TypeA, dialTime) }},
			{Name: "over TLS", Harmless: false, Want: refused(unix.ECONNREFUSED), Do: func(f *field) error { return f.dial("tcp4", "1.1.1.1:853") }},
			{Name: "over HTTPS", Want: refused(unix.ECONNREFUSED), Do: func(f *field) error { return f.dial("tcp4", "1.1.1.1:443") }},
			{Name: "an address", Want: refused(), Do: func(f *field) error { return query(own(f), dnsmessage.TypeA, dialTime) }},
			{Name: "a text", Want: refused(), Do: func(f *field) error { return query(own(f), dnsmessage.TypeTXT, dialTime) }},
			{Name: "NULL", Want: refused(), Do: func(f *field) error { return query(own(f), dnsmessage.Type(10), dialTime) }},
			{Name: "HTTPS", Want: refused(), Do: func(f *field) error { return query(own(f), dnsmessage.TypeHTTPS, dialTime) }},
			{Name: "getent", Sh: "getent hosts secret-bytes.test", Want: refused()},
			{Name: "multicast", NoControl: "nobody answers there", Slow: "nothing may be said in answer to a packet for many (RFC 1122, 3.2.2)", Want: refused(), Do: func(*field) error { return query("224.0.0.251:5353", dnsmessage.TypeA, time.Second) }},
		},
	}.run(t)
}

// A lookup that was granted brings public addresses in, and no right to connect.
func TestN14GrantedLookup(t *testing.T) {
	needStage(t)
	attack{
		ID: "N14, N11", Title: "connect to what may only be looked up, or learn of the inside by it",
		Tiers: process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"plain.test": {"93.184.215.14 10.1.2.3 127.0.0.1"}}, Services: []service{{Name: "server", At: ":8080"}}})
		},
		Flags: func(*field) []string { return []string{"--allow", "dns.lookup:plain.test/A"} },
		Harm:  func(f *field) string { return f.reached() },
		Tries: []try{
			{Name: "by the name", Do: func(f *field) error { return f.dial("tcp4", "plain.test:8080") }, Want: refused(unix.ECONNREFUSED)},
			{Name: "by the address", Do: func(f *field) error { return f.dial("tcp4", "93.184.215.14:8080") }, Want: refused(unix.ECONNREFUSED)},
			{Name: "the inside", NoControl: "it is known there", Want: refused(), Do: func(*field) error {
				all, err := net.DefaultResolver.LookupHost(background, "plain.test")
				if err == nil && len(all) == 1 && all[0] == "93.184.215.14" {
					return errAllowed
				}
				return err
			}},
			{Name: "another type", NoControl: "the name has none", Want: refused(), Do: func(*field) error {
				_, err := net.DefaultResolver.LookupTXT(background, "plain.test")
				return err
			}},
		},
	}.run(t)
}

// query asks a name server for a name that says something.
func query(at string, kind dnsmessage.Type, patience time.Duration) error {
	c, err := net.Dial("udp", at)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("secret-bytes.test."), Type: kind, Class: dnsmessage.ClassINET}}}
	out, err := m.Pack()
	if err != nil {
		return err
	}
	if _, err := c.Write(out); err != nil {
		return err
	}
	buf := make([]byte, 1500)
	n, err := c.Read(buf)
	if err != nil {
		return err
	}
	if err := m.Unpack(buf[:n]); err != nil {
		return err
	}
	if m.RCode != dnsmessage.RCodeSuccess {
		return fmt.Errorf("the answer is %v", m.RCode)
	}
	return nil
}
