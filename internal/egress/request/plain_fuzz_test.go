package request

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestExamine: what is plain is what can be read in one way only.
func TestExamine(t *testing.T) {
	const head = "POST /a HTTP/1.1\r\nHost: far.test\r\n"
	for text, want := range map[string]look{
		"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n": plain, "GET /a?b=%20c HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\nrest": plain,
		head + "Content-Length: 3\r\nX:\r\nY:\ta b \r\n\r\nabc": plain, head + "Content-Length: 65536\r\n\r\n": plain,
		"": more, "GET / HT": more, head: more, head + "\r": more, head + "X: a": more,
		"GET / HTTP/1.0\r\nHost: far.test\r\n\r\n": other, "GET / HTTP/1.1\nHost: far.test\n\n": other, "\r\n": other, "GET /\r\n\r\n": other,
		"GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n": other, "OPTIONS * HTTP/1.1\r\nHost: far.test\r\n\r\n": other,
		"FIND / HTTP/1.1\r\nHost: far.test\r\n\r\n": other, "GET / HTTP/1.1 \r\nHost: far.test\r\n\r\n": other, "GET  / HTTP/1.1\r\n": other,
		"GET /%zz HTTP/1.1\r\n": other, "GET /% HTTP/1.1\r\n": other, "GET /%2 HTTP/1.1\r\n": other, "GET /#a HTTP/1.1\r\n": other, "GET /\x80 HTTP/1.1\r\n": other,
		"GET / HTTP/1.1\r\n\r\n": other, "GET / HTTP/1.1\r\nHost:\r\n\r\n": other, head + "Host: far.test\r\n\r\n": other, head + "HOST: b\r\n\r\n": other,
		"GET / HTTP/1.1\r\nHost: a@far.test\r\n\r\n": other, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n": other,
		head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n": other, head + "Content-Length: +3\r\n": other, head + "Content-Length: 03\r\n": other,
		head + "Content-Length: 3,3\r\n": other, head + "Content-Length:\r\n": other, head + "Content-Length: 65537\r\n": other, head + "Content-Length: -1\r\n": other,
		head + "Transfer-Encoding: chunked\r\n": other, head + "transfer-encoding: x\r\n": other, head + "Transfer-Encoding : chunked\r\n": other,
		head + "Connection: X-A\r\n": other, head + "Connection: close, x\r\n": other, head + "Connection: close\r\nConnection: close\r\n\r\n": other,
		head + "Expect: 100-continue\r\n": other, head + "Upgrade: websocket\r\n": other, head + "TE: trailers\r\n": other, head + "Trailer: X\r\n": other,
		head + " X: a\r\n": other, head + "X\r\n": other, head + ": a\r\n": other, head + "X: a\rb\r\n": other, head + "X: a\x00\r\n": other, head + "X: \x7f\r\n": other, head + "X: \xe9\r\n": other,
	} {
		l, size := examine([]byte(text))
		if end := strings.Index(text, "\r\n\r\n") + 4; l != want || l == plain && size != end {
			t.Errorf("%q: %d of %d bytes, want %d", text, l, size, want)
		}
	}
}

// FuzzExamine: of what is plain, net/http reads the same head, and a body that ends
// where the one length says.
func FuzzExamine(f *testing.F) {
	for _, s := range []string{"GET /a?b HTTP/1.1\r\nHost: far.test\r\n\r\n", "POST / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabcGET",
		"GET // HTTP/1.1\r\nHost: [::1]\r\nX:  a\t\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, size := examine(text)
		if l != plain {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(text), len(text)+16)
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := len(text) - in.Buffered(); got != size {
			t.Fatalf("%q: the head is %d, was %d", text, got, size)
		}
		if r.ContentLength < 0 || r.ContentLength > plainBody || len(r.TransferEncoding) > 0 || r.Trailer != nil || r.Host == "" || r.ProtoMajor != 1 || r.ProtoMinor != 1 {
			t.Fatalf("%q: read as %+v", text, r)
		}
		for _, name := range hop {
			if _, ok := r.Header[name]; ok && name != "Connection" {
				t.Fatalf("%q: it has %s", text, name)
			}
		}
		n, err := io.Copy(io.Discard, r.Body)
		if whole := int64(len(text)-size) >= r.ContentLength; whole != (err == nil) || whole && n != r.ContentLength {
			t.Fatalf("%q: a body of %d, %v", text, n, err)
		}
	})
}
