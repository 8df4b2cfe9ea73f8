package egress_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
)

// certificate is one that nobody should believe.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// dialTLS connects, asks for a name, "" for none, and exchanges a word.
func dialTLS(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(30 * time.Second))
	c := tls.Client(raw, &tls.Config{ServerName: args[1], InsecureSkipVerify: true})
	if _, err := io.WriteString(c, "hello"); err != nil {
		return tell(begun, "", err)
	}
	_ = c.CloseWrite()
	b, err := io.ReadAll(c)
	return tell(begun, string(b), err)
}

// TestTLSNames: TLS passes for the name that was allowed, or for none; for another
// it is broken off, and the server has seen nothing of it.
func TestTLSNames(t *testing.T) {
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	seen := make(chan int, 10)
	at := each(t, func(c *net.TCPConn) {
		first := make([]byte, 1)
		n, _ := c.Read(first)
		seen <- n
		if n == 0 {
			return
		}
		s := tls.Server(&again1{c, first}, cfg)
		b, err := io.ReadAll(s)
		if err == nil {
			_, _ = s.Write(append([]byte("secure "), b...))
			_ = s.Close()
		}
	})
	w, to := openTo(t, at, nil)
	for _, tc := range []struct {
		name string
		ok   bool
		end  egress.End
		tls  egress.TLS
	}{
		{"a.test", true, egress.Done, egress.Named},
		{"A.Test", true, egress.Done, egress.Named},
		{"", true, egress.Done, egress.Unnamed},
		{"b.test", false, egress.SNIMismatch, ""},
		{"a.test.evil.test", false, egress.SNIMismatch, ""},
	} {
		before := len(w.tape.ended(t, 0))
		got := w.see(t, "tls", to, tc.name)
		if tc.ok != (got.Text == "secure hello") || !tc.ok && (got.Err == "" || got.Took > quick) {
			t.Errorf("%q: %+v", tc.name, got)
		}
		if n := <-seen; !tc.ok && n != 0 {
			t.Errorf("%q: the server has seen %d bytes", tc.name, n)
		}
		if f := w.tape.ended(t, before+1)[before]; f.End != tc.end || f.TLS != tc.tls {
			t.Errorf("%q: %+v", tc.name, f)
		}
	}
}

// again1 gives back a first byte.
type again1 struct {
	net.Conn
	first []byte
}

func (a *again1) Read(b []byte) (int, error) {
	if len(a.first) > 0 {
		n := copy(b, a.first)
		a.first = a.first[n:]
		return n, nil
	}
	return a.Conn.Read(b)
}

// dribble sends bytes, some at a time, and returns what comes, all in hexadecimal.
// The last argument, if there is one, is how many pieces there are before the rest.
func dribble(ctx context.Context, args []string) (string, error) {
	begun := time.Now()
	b, err := hex.DecodeString(args[1])
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return "", err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return tell(begun, "", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	most := len(b)
	pause := time.Millisecond
	if len(args) > 3 {
		if most, err = strconv.Atoi(args[3]); err != nil {
			return "", err
		}
		pause = 10 * time.Millisecond
	}
	for i := 0; len(b) > 0; i++ {
		k := min(n, len(b))
		if i == most {
			k = len(b)
		}
		if _, err := c.Write(b[:k]); err != nil {
			return tell(begun, "", err)
		}
		b = b[k:]
		time.Sleep(pause)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	return tell(begun, hex.EncodeToString(got), err)
}

// TestLook: what is no TLS passes unchanged however it comes, a hello in pieces is
// put together, and one that is none gets nowhere.
func TestLook(t *testing.T) {
	at := echo(t, "tcp", "127.0.0.1:0")
	w, to := openTo(t, net.TCPAddrFromAddrPort(at), nil)
	ours, theirs := net.Pipe()
	go func() { _ = tls.Client(theirs, &tls.Config{ServerName: "a.test"}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ours.Close(), theirs.Close()
	good := string(b[:n])
	bad := strings.Replace(good, "a.test", "b.test", 1)
	for _, tc := range []struct {
		text string
		by   int
		ok   bool
	}{
		{"plain words", 1, true}, {"\x16not TLS", 1, true}, {"\x00", 1, true}, {"", 1, true},
		{good, 100, true}, {good, n, true}, {good + "more", n + 4, true},
		{bad, 100, false}, {bad, n, false},
		{"\x16\x03\x01\x00\x00", 5, false}, {"\x16\x03\x01\xff\xff", 5, false},
	} {
		got := w.see(t, "dribble", to, hex.EncodeToString([]byte(tc.text)), strconv.Itoa(tc.by))
		if tc.ok && got.Text != hex.EncodeToString([]byte("echo "+tc.text)) || !tc.ok && !strings.Contains(got.Err, "reset") && !strings.Contains(got.Err, "broken pipe") {
			t.Errorf("%.20q by %d: %+v", tc.text, tc.by, got)
		}
	}
}

// TestLookTooLong: a hello in too many pieces gets nowhere. How many they are is
// up to two kernels as well, which put together what is not taken soon, so there
// are some tries, and the last pieces are one.
func TestLookTooLong(t *testing.T) {
	at := echo(t, "tcp", "127.0.0.1:0")
	w, to := openTo(t, net.TCPAddrFromAddrPort(at), nil)
	ours, theirs := net.Pipe()
	go func() { _ = tls.Client(theirs, &tls.Config{ServerName: "a.test"}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ours.Close(), theirs.Close()
	var got outcome
	for range 5 {
		if got = w.see(t, "dribble", to, hex.EncodeToString(b[:n]), "1", "100"); strings.Contains(got.Err, "reset") || strings.Contains(got.Err, "broken pipe") {
			return
		}
	}
	t.Errorf("%+v", got)
}

// TestServerSpeaksFirst: a protocol in which the server speaks first works.
func TestServerSpeaksFirst(t *testing.T) {
	at := each(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "220 ready")
		_, _ = io.ReadAll(c)
	})
	w, to := openTo(t, at, nil)
	if got, err := w.Do("listen first", to); err != nil || got != "220 ready" {
		t.Errorf("%q, %v", got, err)
	}
}

// listenFirst says nothing before it has heard something.
func listenFirst(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 9)
	_, err = io.ReadFull(c, b)
	return string(b), err
}
