package name_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"ambit.dev/ambit/internal/egress/name"
)

// server knows names below known.test.
func server() *name.Server {
	return &name.Server{
		Table: name.NewTable(100, newClock().now),
		Known: func(n string) bool { return n == "known.test" || strings.HasSuffix(n, ".known.test") },
	}
}

func query(t testing.TB, n string, kind dnsmessage.Type, change func(*dnsmessage.Message)) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(n), Type: kind, Class: dnsmessage.ClassINET}},
	}
	if change != nil {
		change(&m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswer(t *testing.T) {
	s := server()
	const (
		ok, no, notImplemented, malformed = dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError, dnsmessage.RCodeNotImplemented, dnsmessage.RCodeFormatError
		https, svcb                       = dnsmessage.Type(65), dnsmessage.Type(64)
	)
	for _, tc := range []struct {
		name  string
		kind  dnsmessage.Type
		code  dnsmessage.RCode
		value string // of the record; "" for none
	}{
		{"known.test.", dnsmessage.TypeA, ok, "198.18.0.1"},
		{"KNOWN.Test.", dnsmessage.TypeA, ok, "198.18.0.1"},
		{"a.known.test.", dnsmessage.TypeA, ok, "198.18.0.2"},
		{"known.test.", dnsmessage.TypeAAAA, ok, ""},
		{"known.test.", https, ok, ""},
		{"known.test.", svcb, ok, ""},
		{"known.test.", dnsmessage.TypeTXT, ok, ""},
		{"known.test.", dnsmessage.TypeMX, ok, ""},
		{"known.test.", dnsmessage.TypeNS, ok, ""},
		{"known.test.", dnsmessage.TypeSRV, ok, ""},
		{"known.test.", dnsmessage.Type(10), ok, ""}, // NULL
		{"known.test.", dnsmessage.TypeALL, ok, ""},
		{"known.test.", dnsmessage.TypePTR, ok, ""},
		{"other.test.", dnsmessage.TypeA, no, ""},
		{"other.test.", dnsmessage.TypeTXT, no, ""},
		{"evil-known.test.", dnsmessage.TypeA, no, ""},
		{"known.test.evil.test.", dnsmessage.TypeA, no, ""},
		{"c2VjcmV0LWJ5dGVz.evil.test.", dnsmessage.TypeTXT, no, ""},
		{".", dnsmessage.TypeA, no, ""},
		{"2130706433.", dnsmessage.TypeA, no, ""},
		{"0x7f.1.", dnsmessage.TypeA, no, ""},
		{"127.0.0.1.", dnsmessage.TypeA, no, ""},
		{"bad name.known.test.", dnsmessage.TypeA, no, ""},
		{"\u00fc.known.test.", dnsmessage.TypeA, ok, "198.18.0.3"},
		{"xn--tda.known.test.", dnsmessage.TypeA, ok, "198.18.0.3"},
		{"xn--zzzz.known.test.", dnsmessage.TypeA, no, ""},
		{"localhost.", dnsmessage.TypeA, ok, "127.0.0.1"},
		{"app.localhost.", dnsmessage.TypeA, ok, "127.0.0.1"},
		{"localhost.", dnsmessage.TypeAAAA, ok, "::1"},
		{"localhost.", dnsmessage.TypeTXT, ok, ""},
		{"use-application-dns.net.", dnsmessage.TypeA, no, ""},
		{"1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, ok, "known.test."},
		{"1.0.18.198.IN-ADDR.arpa.", dnsmessage.TypePTR, ok, "known.test."},
		{"1.0.18.198.in-addr.arpa.", dnsmessage.TypeA, ok, ""},
		{"9.9.18.198.in-addr.arpa.", dnsmessage.TypePTR, no, ""},
		{"1.1.1.1.in-addr.arpa.", dnsmessage.TypePTR, no, ""},
		{"1.1.1.in-addr.arpa.", dnsmessage.TypePTR, no, ""},
		{"256.1.1.1.in-addr.arpa.", dnsmessage.TypePTR, no, ""},
		{"1.0.0.0.ip6.arpa.", dnsmessage.TypePTR, no, ""},
	} {
		m := read(t, s.Answer(query(t, tc.name, tc.kind, nil)))
		if got := value(m); m.RCode != tc.code || got != tc.value || m.ID != 7 || !m.Response || len(m.Questions) != 1 || m.Questions[0].Name.String() != tc.name {
			t.Errorf("%s %s: %s %q; want %s %q", tc.name, tc.kind, m.RCode, got, tc.code, tc.value)
		}
	}

	for what, tc := range map[string]struct {
		change func(*dnsmessage.Message)
		code   dnsmessage.RCode
	}{
		"another class": {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, notImplemented},
		"any class":     {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassANY }, notImplemented},
		"an update":     {func(m *dnsmessage.Message) { m.OpCode = 5 }, notImplemented},
		"two questions": {func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, malformed},
		"no question":   {func(m *dnsmessage.Message) { m.Questions = nil }, malformed},
	} {
		m := read(t, s.Answer(query(t, "known.test.", dnsmessage.TypeA, tc.change)))
		if m.RCode != tc.code || len(m.Answers) != 0 {
			t.Errorf("%s: %s, %d answers", what, m.RCode, len(m.Answers))
		}
	}
	if got := s.Answer(query(t, "known.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Response = true })); got != nil {
		t.Error("a response was answered")
	}
	for _, b := range [][]byte{nil, make([]byte, 11)} {
		if s.Answer(b) != nil {
			t.Errorf("%d bytes were answered", len(b))
		}
	}
}

// some has records of one name.
type some struct{ large bool }

func (some) May(n string, kind dnsmessage.Type) bool {
	return n == "known.test" && (kind == dnsmessage.TypeTXT || kind == dnsmessage.TypeMX) || n == "only.test" && kind == dnsmessage.TypeTXT ||
		kind == dnsmessage.TypeA && (n == "plain.test" || n == "known.test" || n == "localhost")
}

func (r some) Look(n string, kind dnsmessage.Type) ([]dnsmessage.ResourceBody, dnsmessage.RCode) {
	switch {
	case kind == dnsmessage.TypeMX:
		return nil, dnsmessage.RCodeServerFailure
	case kind == dnsmessage.TypeA:
		return []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}, dnsmessage.RCodeSuccess
	case r.large:
		var all []dnsmessage.ResourceBody
		for range 100 {
			all = append(all, &dnsmessage.TXTResource{TXT: []string{strings.Repeat("x", 100)}})
		}
		return all, dnsmessage.RCodeSuccess
	}
	return []dnsmessage.ResourceBody{&dnsmessage.TXTResource{TXT: []string{"text of " + n}}}, dnsmessage.RCodeSuccess
}

// TestRecords: records are passed on for the names and types that may be asked for,
// and for no others.
func TestRecords(t *testing.T) {
	s := server()
	s.Records = some{}
	for _, tc := range []struct {
		name string
		kind dnsmessage.Type
		code dnsmessage.RCode
		want string
	}{
		{"known.test.", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, "text of known.test"},
		{"Known.Test.", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, "text of known.test"},
		{"known.test.", dnsmessage.TypeMX, dnsmessage.RCodeServerFailure, ""},
		{"known.test.", dnsmessage.TypeNS, dnsmessage.RCodeSuccess, ""},
		{"known.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "198.18.0.1"},
		{"known.test.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, ""},
		{"only.test.", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, "text of only.test"},
		{"only.test.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"plain.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "192.0.2.7"},
		{"plain.test.", dnsmessage.TypeAAAA, dnsmessage.RCodeNameError, ""},
		{"localhost.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "127.0.0.1"},
		{"a.only.test.", dnsmessage.TypeTXT, dnsmessage.RCodeNameError, ""},
	} {
		m := read(t, s.Answer(query(t, tc.name, tc.kind, nil)))
		if got := value(m); m.RCode != tc.code || got != tc.want {
			t.Errorf("%s %s: %s %q; want %s %q", tc.name, tc.kind, m.RCode, got, tc.code, tc.want)
		}
	}
}

// TestLargeRecords: what does not fit a datagram says so, and comes over TCP.
func TestLargeRecords(t *testing.T) {
	s := server()
	s.Records = some{large: true}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go s.ServePackets(u)
	c, err := net.Dial("udp", u.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Write(query(t, "known.test.", dnsmessage.TypeTXT, nil)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 65536)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if m := read(t, b[:n]); !m.Truncated || len(m.Answers) != 0 || n > 512 {
		t.Errorf("%d bytes: %+v", n, m.Header)
	}
	if m := read(t, s.Answer(query(t, "known.test.", dnsmessage.TypeTXT, nil))); len(m.Answers) != 64 {
		t.Errorf("%d records", len(m.Answers))
	}
}

func TestZeroServer(t *testing.T) {
	s := &name.Server{Table: name.NewTable(1, time.Now)}
	if m := read(t, s.Answer(query(t, "known.test.", dnsmessage.TypeA, nil))); m.RCode != dnsmessage.RCodeNameError {
		t.Errorf("a server that knows nothing: %s", m.RCode)
	}
}

func TestRefusedAndFull(t *testing.T) {
	s := server()
	s.Table = name.NewTable(1, newClock().now)
	var refused []string
	s.Refused = func(n string, kind dnsmessage.Type) { refused = append(refused, n+" "+kind.String()) }
	for _, n := range []string{"a.known.test.", "b.known.test.", "Other.test.", "localhost.", "use-application-dns.net."} {
		m := read(t, s.Answer(query(t, n, dnsmessage.TypeA, nil)))
		if n == "b.known.test." && m.RCode != dnsmessage.RCodeServerFailure {
			t.Errorf("a full table: %s", m.RCode)
		}
	}
	_ = s.Answer(query(t, "a.known.test.", dnsmessage.TypeTXT, nil))
	_ = s.Answer(query(t, "a.known.test.", dnsmessage.TypeAAAA, nil))
	if !slices.Equal(refused, []string{"other.test TypeA", "a.known.test TypeTXT"}) {
		t.Errorf("refused %q", refused)
	}
}

// TestServe asks over sockets, with the resolver of the standard library.
func TestServe(t *testing.T) {
	s := server()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeStreams(l) }()
	go s.ServePackets(u)
	for _, network := range []string{"udp", "tcp"} {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			to := u.LocalAddr().String()
			if network == "tcp" {
				to = l.Addr().String()
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}}
		if a, err := r.LookupHost(t.Context(), "known.test."); err != nil || len(a) != 1 || a[0] != "198.18.0.1" {
			t.Errorf("%s: %v, %v", network, a, err)
		}
		if a, err := r.LookupHost(t.Context(), "other.test."); err == nil {
			t.Errorf("%s: %v", network, a)
		}
	}
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	_, _ = idle.Write([]byte{0})
	time.Sleep(20 * time.Millisecond)
	_ = u.Close()
	_ = l.Close()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("an idle connection outlived the listener")
	}
}

// TestManyStreams: connections beyond the bound are closed at once.
func TestManyStreams(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server().ServeStreams(l)
	defer l.Close()
	for i := range 40 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i < 39 {
			continue
		}
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}

func read(t testing.TB, b []byte) (m dnsmessage.Message) {
	t.Helper()
	if err := m.Unpack(b); err != nil {
		t.Fatalf("answer %x: %v", b, err)
	}
	return m
}

// value is what the answer leads to.
func value(m dnsmessage.Message) string {
	if len(m.Answers) == 0 {
		return ""
	}
	switch b := m.Answers[0].Body.(type) {
	case *dnsmessage.AResource:
		return net.IP(b.A[:]).String()
	case *dnsmessage.AAAAResource:
		return net.IP(b.AAAA[:]).String()
	case *dnsmessage.PTRResource:
		return b.PTR.String()
	case *dnsmessage.TXTResource:
		return strings.Join(b.TXT, "")
	}
	return "something"
}

func FuzzAnswer(f *testing.F) {
	f.Add(query(f, "known.test.", dnsmessage.TypeA, nil))
	f.Add(query(f, "1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, nil))
	f.Add(query(f, "localhost.", dnsmessage.TypeAAAA, nil))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, q []byte) {
		s := server()
		reply := s.Answer(q)
		if reply == nil {
			return
		}
		m := read(t, reply)
		if !m.Response || m.ID != uint16(q[0])<<8|uint16(q[1]) || len(reply) > 512+len(q) {
			t.Errorf("answer %+v to %x", m, q)
		}
		if len(m.Answers) > 0 && m.RCode != dnsmessage.RCodeSuccess || s.Table.Len() > 1 {
			t.Errorf("answer %+v to %x", m, q)
		}
	})
}
