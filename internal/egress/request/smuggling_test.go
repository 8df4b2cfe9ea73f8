package request_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestOtherHosts: a connection carries requests for its host.
func TestOtherHosts(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n":                        "200",
		"GET / HTTP/1.1\r\nHost: FAR.test.:80\r\n\r\n":                    "200",
		"GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":         "200",
		"GET http://far.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n":       "200", // RFC 9112, section 3.2.2: the target counts, and is what is sent
		"GET / HTTP/1.0\r\n\r\n":                                          "200",
		"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n":                      "421",
		"GET / HTTP/1.1\r\nHost: far.test:81\r\n\r\n":                     "421",
		"GET / HTTP/1.1\r\nHost: far.test:443\r\n\r\n":                    "421",
		"GET / HTTP/1.1\r\nHost: far.test.other.test\r\n\r\n":             "421",
		"GET / HTTP/1.1\r\nHost: other.test@far.test\r\n\r\n":             "400",
		"GET http://other.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":       "421",
		"GET https://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n":        "421",
		"GET / HTTP/1.1\r\n\r\n":                                          "400",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n":                                 "400",
		"GET / HTTP/1.1\r\nHost: far.test\r\nHost: other.test\r\n\r\n":    "400",
		"GET / HTTP/1.1\r\nHost: far.test, other.test\r\n\r\n":            "4",
		"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n": "405",
		"TRACE / HTTP/1.1\r\nHost: far.test\r\n\r\n":                      "405",
		"OPTIONS * HTTP/1.1\r\nHost: far.test\r\n\r\n":                    "400",
		"GET /\r\n\r\n": "400",
		"GET / HTTP/1.1\r\nHost: far.test\r\nX: " + strings.Repeat("a", 80<<10) + "\r\n\r\n":                          "431",
		"GET /a HTTP/1.1\r\nHost: far.test\r\n\r\nGET /b HTTP/1.1\r\nHost: other.test\r\n\r\n":                        "200 421",
		strings.Repeat("GET /a HTTP/1.1\r\nHost: far.test\r\n\r\n", 2) + "GET /b HTTP/1.1\r\nHost: far.tests\r\n\r\n": "200 200 421",
		"POST / HTTP/1.1\r\nHost: far.test\r\nContent-Length: 1\r\nConnection: Host, Content-Length\r\n\r\nx":         "200",
	} {
		var codes []string
		for line := range strings.Lines(w.raw(text)) {
			if code, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
				codes = append(codes, code[:3])
			} else if code, ok := strings.CutPrefix(line, "HTTP/1.0 "); ok {
				codes = append(codes, code[:3])
			}
		}
		if got := strings.Join(codes, " "); !strings.HasPrefix(got, want) {
			t.Errorf("%.70q: %q, want %s", text, got, want)
		}
		n := strings.Count(want, "200")
		seen := w.served()
		if len(seen) != n {
			t.Errorf("%.70q: the server saw %q", text, seen)
		}
		for _, s := range seen {
			if !strings.Contains(s, " far.test /") {
				t.Errorf("%.70q: the server saw %q", text, s)
			}
		}
	}
}

// TestSmuggling: what is one request to us is one to the server, however it was
// written.
func TestSmuggling(t *testing.T) {
	got := make(chan string, 9)
	w := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%q %v %d %q %v", b, r.TransferEncoding, r.ContentLength, r.Header["X"], err)
	}, nil)
	const head = "POST /a HTTP/1.1\r\nHost: far.test\r\n"
	const hidden = "GET /b HTTP/1.1\r\nHost: far.test\r\n\r\n"
	for text, want := range map[string]string{ // "" for refused
		head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n":                     `"x" [chunked] -1 [] <nil>`,
		head + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n":                               `"" [chunked] -1 [] <nil>`,
		head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc":                                              `"abc" [] 3 [] <nil>`,
		head + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n":                                                        `"" [] 0 ["a b"] <nil>`,
		head + "X: a\nContent-Length: 1\n\nx":                                                                   `"x" [] 1 ["a"] <nil>`,
		head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd":                                             "",
		head + "Content-Length: 3, 4\r\n\r\nabcd":                                                               "",
		head + "Content-Length: +3\r\n\r\nabc":                                                                  "",
		head + "Content-Length: 0x3\r\n\r\nabc":                                                                 "",
		head + "Content-Length: -1\r\n\r\n":                                                                     "",
		head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n":                                                   "",
		head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n":                                          "",
		head + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc":                                    "",
		head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n":                     "",
		head + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n":                                                 "",
		head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n":                                                   "",
		head + "X: a\rX: b\r\nContent-Length: 0\r\n\r\n":                                                        "",
		head + "X: a\x00b\r\nContent-Length: 0\r\n\r\n":                                                         "",
		head + " Content-Length: 3\r\n\r\nabc":                                                                  "",
		head + "X\x01: a\r\n\r\n":                                                                               "",
		"POST /a HTTP/1.1\r\n Host: far.test\r\nHost: far.test\r\n\r\n":                                         "",
		"POST /a HTTP/1.1 \r\nHost: far.test\r\n\r\n":                                                           "",
		"POST /a b HTTP/1.1\r\nHost: far.test\r\n\r\n":                                                          "",
		"POST\t/a\tHTTP/1.1\r\nHost: far.test\r\n\r\n":                                                          "",
		"POST /a HTTP/1.2\r\nHost: far.test\r\nContent-Length: 0\r\n\r\n":                                       `"" [] 0 [] <nil>`,
		"GET /a HTTP/1.1\r\nHost: far.test\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden: fmt.Sprintf("%q [] %d [] <nil>", hidden, len(hidden)),
	} {
		answer := w.raw(text)
		seen := w.served()
		if want == "" {
			if len(seen) != 0 || strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%q: the server saw %q; %q", text, seen, answer)
			}
			continue
		}
		if len(seen) != 1 {
			t.Errorf("%q: the server saw %q; %q", text, seen, answer)
			continue
		}
		if is := <-got; is != want {
			t.Errorf("%q: the server saw %s, want %s", text, is, want)
		}
	}
}

// TestBrokenChunks: a body that breaks off is broken off at the server too.
func TestBrokenChunks(t *testing.T) {
	got := make(chan error, 9)
	w := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
	}, nil)
	for _, chunks := range []string{"5\r\nab", "5\r\nabcdeX\r\n0\r\n\r\n", "zz\r\n", "-1\r\n", "ffffffffffffffff1\r\n"} {
		w.raw("POST /a HTTP/1.1\r\nHost: far.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + chunks)
		if len(w.served()) == 0 {
			continue // it broke off before the head was sent
		}
		if err := <-got; err == nil {
			t.Errorf("%q: to the server it was whole", chunks)
		}
	}
}

// TestConnectionHeaders: what is about one connection ends there.
func TestConnectionHeaders(t *testing.T) {
	var got http.Header
	w := start(t, false, func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header
		h := rw.Header()
		h.Set("Connection", "X-Ours")
		h.Set("X-Ours", "1")
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Keep-Alive", "timeout=9")
		h.Set("X-Both", "2")
	}, nil)
	answer := w.raw("GET / HTTP/1.1\r\nHost: far.test\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: secret\r\nProxy-Connection: keep-alive\r\n" +
		"Keep-Alive: 9\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Other: 2\r\n\r\n")
	for _, name := range []string{"X-Mine", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Upgrade", "User-Agent", "Accept-Encoding"} {
		if v, ok := got[name]; ok {
			t.Errorf("the server saw %s: %q", name, v)
		}
	}
	if got.Get("X-Other") != "2" || got.Get("Te") != "trailers" {
		t.Errorf("the server saw %v", got)
	}
	for _, name := range []string{"X-Ours", "Alt-Svc", "Keep-Alive"} {
		if strings.Contains(answer, name) {
			t.Errorf("the program saw %s in %q", name, answer)
		}
	}
	if !strings.Contains(answer, "X-Both: 2") {
		t.Errorf("the program saw %q", answer)
	}
}
