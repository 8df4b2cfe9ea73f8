package hello_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/hello"
)

// greet returns what a client of the standard library says first.
func greet(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		cfg.InsecureSkipVerify = true
		_ = tls.Client(theirs, cfg).Handshake()
		_ = theirs.Close()
	}()
	_ = ours.SetDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestName(t *testing.T) {
	for _, tc := range []struct {
		cfg  *tls.Config
		want string
	}{
		{&tls.Config{ServerName: "api.example.com"}, "api.example.com"},
		{&tls.Config{ServerName: "API.Example.com"}, "api.example.com"},
		{&tls.Config{ServerName: "192.0.2.1"}, ""}, // clients leave addresses out
		{&tls.Config{}, ""},
		{&tls.Config{ServerName: "a.test", MaxVersion: tls.VersionTLS12}, "a.test"},
		{&tls.Config{ServerName: "a.test", NextProtos: []string{"h2", "http/1.1"}}, "a.test"},
	} {
		b := greet(t, tc.cfg)
		if got, err := hello.Name(b); err != nil || got != tc.want || !hello.Begins(b) {
			t.Errorf("%q: %q, %v", tc.want, got, err)
		}
		for n := range b {
			if _, err := hello.Name(b[:n]); !errors.Is(err, hello.ErrMore) || !hello.Begins(b[:n]) {
				t.Fatalf("%q: the first %d bytes: %v", tc.want, n, err)
			}
		}
		if got, err := hello.Name(append(b, "and more"...)); err != nil || got != tc.want {
			t.Errorf("%q, with early data: %q, %v", tc.want, got, err)
		}
	}
}

// split puts the message of one record into records of at most n bytes.
func split(b []byte, n int) (out []byte) {
	for body := b[5:]; len(body) > 0; {
		k := min(n, len(body))
		out = append(out, b[0], b[1], b[2])
		out = binary.BigEndian.AppendUint16(out, uint16(k))
		out, body = append(out, body[:k]...), body[k:]
	}
	return out
}

func TestSplit(t *testing.T) {
	b := greet(t, &tls.Config{ServerName: "a.test"})
	for _, n := range []int{1, 3, 4, 5, 100, 1000} {
		if got, err := hello.Name(split(b, n)); err != nil || got != "a.test" {
			t.Errorf("in records of %d: %q, %v", n, got, err)
		}
	}
}

// message makes a hello with these extensions.
func message(extensions ...string) []byte {
	var all string
	for _, e := range extensions {
		all += e
	}
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00" + sized(all)
	n := len(body)
	m := "\x01" + string([]byte{byte(n >> 16), byte(n >> 8), byte(n)}) + body
	return []byte("\x16\x03\x01" + sized(m))
}

func sized(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }

func extension(kind byte, body string) string { return "\x00" + string(kind) + sized(body) }

func names(entries ...string) string { return extension(0, sized(strings.Join(entries, ""))) }

func entry(kind byte, text string) string { return string(kind) + sized(text) }

func TestMalformed(t *testing.T) {
	if got, err := hello.Name(message(extension(16, "x"), names(entry(0, "a.test")))); err != nil || got != "a.test" {
		t.Fatalf("a good one: %q, %v", got, err)
	}
	for what, b := range map[string][]byte{
		"two names":            message(names(entry(0, "a.test"), entry(0, "b.test"))),
		"two extensions":       message(names(entry(0, "a.test")), names(entry(0, "b.test"))),
		"another kind of name": message(names(entry(1, "a.test"))),
		"no name in it":        message(names()),
		"an empty name":        message(names(entry(0, ""))),
		"an address":           message(names(entry(0, "127.0.0.1"))),
		"a dotted name":        message(names(entry(0, "a..test"))),
		"a name with a NUL":    message(names(entry(0, "a.test\x00.b.test"))),
		"more after the list":  message(extension(0, sized(entry(0, "a.test"))+"x")),
		"an extension cut off": message("\x00\x10\x00\x09x"),
		"another message":      []byte("\x16\x03\x01\x00\x04\x02\x00\x00\x00"),
		"an empty record":      []byte("\x16\x03\x01\x00\x00"),
		"a large record":       []byte("\x16\x03\x01\xff\xff"),
		"a large hello":        []byte("\x16\x03\x01\x00\x04\x01\xff\xff\xff"),
		"then something else":  append(split(message(names(entry(0, "a.test"))), 10)[:15], "\x17\x03\x03\x00\x01x"...),
	} {
		if got, err := hello.Name(b); !errors.Is(err, hello.ErrMalformed) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for _, b := range []string{"GET / HTTP/1.1\r\n", "SSH-2.0-x", "\x16\x02", "\x80\x2e\x01"} {
		if hello.Begins([]byte(b)) {
			t.Errorf("%q begins TLS", b)
		}
	}
	for _, b := range []string{"", "\x16", "\x16\x03"} {
		if !hello.Begins([]byte(b)) {
			t.Errorf("%q cannot begin TLS", b)
		}
	}
}

// TestHidden: a hello that has an encrypted one in it names nobody, whatever name
// stands beside it.
func TestHidden(t *testing.T) {
	for what, b := range map[string][]byte{
		"of the standard library": greet(t, &tls.Config{ServerName: "inner.test", EncryptedClientHelloConfigList: configList(t, "a.test")}),
		"after the name":          message(names(entry(0, "a.test")), "\xfe\x0d"+sized("\x00x")),
		"before the name":         message("\xfe\x0d"+sized("\x00x"), names(entry(0, "a.test"))),
		"without a name":          message("\xfe\x0d" + sized("")),
		"of the first draft":      message(names(entry(0, "a.test")), "\xff\xce"+sized("x")),
	} {
		if got, err := hello.Name(b); !errors.Is(err, hello.ErrHidden) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

// configList is what a server publishes for encrypted hellos (RFC 9849, section 4).
func configList(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body := "\x01" + "\x00\x20" + sized(string(key.PublicKey().Bytes())) + sized("\x00\x01\x00\x01") + "\x20" + string([]byte{byte(len(public))}) + public + sized("")
	return []byte(sized("\xfe\x0d" + sized(body)))
}

// FuzzAgainstServer: where a server of the standard library reads a name, it is
// the one that was read here, or none was.
func FuzzAgainstServer(f *testing.F) {
	f.Add(greet(f, &tls.Config{ServerName: "a.test"}))
	f.Add(greet(f, &tls.Config{ServerName: "b.test", MaxVersion: tls.VersionTLS12}))
	f.Add(split(greet(f, &tls.Config{ServerName: "c.test"}), 7))
	f.Add(message(names(entry(0, "a.test"), entry(0, "b.test"))))
	f.Add(message(names(entry(0, "a.test")), "\xfe\x0d"+sized("\x00x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		var served *string
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = tls.Server(theirs, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				served = &h.ServerName
				return nil, errors.New("enough")
			}}).Handshake()
			_ = theirs.Close()
		}()
		_ = ours.SetDeadline(time.Now().Add(time.Second))
		go func() {
			_, _ = ours.Write(b)
			_ = ours.Close()
		}()
		<-done
		name, err := hello.Name(b)
		if served == nil || !hello.Begins(b) {
			return
		}
		if err == nil && !strings.EqualFold(strings.TrimSuffix(*served, "."), name) {
			t.Errorf("a server reads %q, here it is %q", *served, name)
		}
		if errors.Is(err, hello.ErrMore) {
			t.Errorf("a server has enough at %d bytes: %q", len(b), *served)
		}
	})
}
