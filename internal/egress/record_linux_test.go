package egress_test

import (
	"slices"
	"testing"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// TestAddressRecords: addresses can be looked up without a right to connect. Only
// public ones come in, and a name that may be connected to keeps its own.
func TestAddressRecords(t *testing.T) {
	grants := []string{"dns.lookup:a.test/A,AAAA", "dns.lookup:b.test/A", "dns.lookup:c.test/A", "net.connect:c.test", "dns.lookup:*/A"}
	w := start(t, linktest.Options{}, grants, nil)
	for _, n := range []string{"a.test", "b.test", "c.test"} {
		w.hosts.set(n, "93.184.215.14", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1", "2606:2800:21f::1", "64:ff9b::7f00:1")
	}
	w.hosts.set("localhost", "93.184.215.14")
	for _, tc := range []struct{ name, kind, want string }{
		{"a.test.", "A", "[93.184.215.14]"},
		{"a.test.", "AAAA", "[2606:2800:21f::1]"},
		{"b.test.", "A", "[93.184.215.14]"},
		{"b.test.", "AAAA", ""},
		{"c.test.", "A", "[198.18.0.1]"},
		{"localhost.", "A", "[127.0.0.1]"},
		{"none.test.", "A", ""},
	} {
		got := w.see(t, "records", tc.name, tc.kind)
		if got.Text != tc.want && tc.want != "" || tc.want == "" && got.Err == "" {
			t.Errorf("%s %s: %+v", tc.name, tc.kind, got)
		}
	}
	// To connect to what was looked up takes a grant of its own.
	if got := w.see(t, "tcp", "93.184.215.14:443", "x"); got.Err == "" {
		t.Errorf("it connects to an address that was only looked up: %+v", got)
	}
}

// TestRecordsAsked: a person can be asked about a lookup, once for all who wait,
// and a no is an answer.
func TestRecordsAsked(t *testing.T) {
	w, p := asking(t, nil, func(c *egress.Config) { c.Lookups = func(string, string) bool { return true } })
	done := make(chan string, 1)
	go func() { done <- w.see(t, "records", "a.test.", "MX").Text }()
	q := p.asked(t, 1)[0]
	if got := q.Request.Capability.String(); got != "dns.lookup:a.test/MX" {
		t.Errorf("asked about %q", got)
	}
	w.gate.grant("dns.lookup:a.test/MX")
	p.answers <- nil
	if got := <-done; got != "mail.test.7" {
		t.Errorf("after a yes: %q", got)
	}
	go func() { done <- w.see(t, "records", "b.test.", "MX").Err }()
	p.asked(t, 2)
	p.answers <- nil
	if got := <-done; got == "" {
		t.Error("after a no it is answered")
	}
	if n := len(p.asked(t, 2)); n != 2 {
		t.Errorf("%d questions", n)
	}
	if got := w.gate.requests(); !slices.Contains(got, "dns.lookup:b.test/MX") {
		t.Errorf("requests %q", got)
	}
}
