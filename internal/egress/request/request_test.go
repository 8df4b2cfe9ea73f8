package request_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/egress/request"
)

// TestDecided: what is decided is what is sent, for each request of a kept
// connection, and nothing is dialled before the first is allowed.
func TestDecided(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) }, nil)
		w.deny = func(a request.Ask) bool { return a.Path == "/no" || a.Method == http.MethodDelete }
		c := w.client(two)
		do := func(method, path, text string) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), method, w.url()+path, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(r)
			return resp.StatusCode, body(t, resp, err)
		}
		if code, text := do("GET", "/no?q", ""); code != 403 || !strings.Contains(text, `"decision":"d-1"`) || !strings.Contains(text, `"reason":"not-granted"`) {
			t.Errorf("%d %q", code, text)
		}
		if w.dials != 0 {
			t.Error("it connected before anything was allowed")
		}
		for _, path := range []string{"/a?x=%20", "/%41/b%2Fc", "//x", "/a/../b", "/ü"} {
			if code, text := do("POST", path, "text"); code != 200 || text != "text" {
				t.Errorf("%s: %d %q", path, code, text)
			}
		}
		if code, _ := do("DELETE", "/a", ""); code != 403 {
			t.Errorf("DELETE: %d", code)
		}
		var asked []string
		for _, a := range w.asks {
			asked = append(asked, a.Method+" "+a.Path)
		}
		if want := []string{"GET /no", "POST /a", "POST /%41/b%2Fc", "POST //x", "POST /a/../b", "POST /%C3%BC", "DELETE /a"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		if got, want := w.served(), []string{"POST far.test /a?x=%20", "POST far.test /%41/b%2Fc", "POST far.test //x", "POST far.test /a/../b", "POST far.test /%C3%BC"}; !slices.Equal(got, want) {
			t.Errorf("the server saw %q, want %q", got, want)
		}
		if w.dials != 1 {
			t.Errorf("%d connections for requests one after the other", w.dials)
		}
		told := w.records(t, 7)
		if r := told["POST /a"]; r.Decision != "d-2" || r.Status != 200 || r.In != 4 || r.Out != 4 || r.Path != "/a" {
			t.Errorf("told %+v", r)
		}
		if r := told["GET /no"]; r.Decision != "d-1" || r.Status != 403 || r.Refused != request.NotGranted {
			t.Errorf("told %+v", r)
		}
	})
}

// TestDecidedThere: a request that is denied where it goes is not sent, and what comes as
// a stream is not passed on where that is denied.
func TestDecidedThere(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/events" {
				rw.Header().Set("Content-Type", "text/event-stream")
			}
			_, _ = io.WriteString(rw, "text")
		}, nil)
		w.denied = func(a request.Ask) bool { return a.Path == "/no" || a.Stream }
		c := w.client(two)
		for _, tc := range []struct {
			method, path string
			want         int
		}{{"GET", "/no", 403}, {"GET", "/a", 200}, {"POST", "/no", 403}, {"POST", "/a", 200}, {"GET", "/events", 403}, {"GET", "/a", 200}} {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, w.url()+tc.path, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(r)
			if text := body(t, resp, err); resp.StatusCode != tc.want || tc.want == 403 && (!strings.Contains(text, "it leads there") || resp.Header.Get("Ambit-Denied") != "d-3") {
				t.Errorf("%s %s: %d %q", tc.method, tc.path, resp.StatusCode, text)
			}
		}
		if got, want := w.served(), []string{"GET far.test /a", "POST far.test /a", "GET far.test /events", "GET far.test /a"}; !slices.Equal(got, want) {
			t.Errorf("the server saw %q, want %q", got, want)
		}
		if r := w.records(t, 6)["POST /no"]; r.Decision != "d-3" || r.Status != 403 || r.Refused != request.NotGranted {
			t.Errorf("told %+v", r)
		}
	})
}

// TestUpstream: nothing is sent to a server that the host does not trust, nor to
// one whose certificate is for another name.
func TestUpstream(t *testing.T) {
	for name, change := range map[string]func(*request.Config){
		"unknown authority": func(c *request.Config) { c.Roots = x509.NewCertPool },
	} {
		w := start(t, true, func(http.ResponseWriter, *http.Request) {}, change)
		resp, err := w.client(false).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 502 || !strings.Contains(text, request.Certificate) || w.served() != nil {
			t.Errorf("%s: %d %q", name, resp.StatusCode, text)
		}
	}
}

// TestDistrust: a program that does not trust the sandbox's certificate, or asks
// for another name, gets nothing, and why is said.
func TestDistrust(t *testing.T) {
	for want, cfg := range map[string]*tls.Config{
		request.Distrust:    {ServerName: "far.test", RootCAs: x509.NewCertPool()},
		request.SNIMismatch: {ServerName: "other.test", InsecureSkipVerify: true},
	} {
		w := start(t, true, func(http.ResponseWriter, *http.Request) {}, nil)
		c := tls.Client(w.connect(), cfg)
		if err := c.Handshake(); err == nil {
			_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
			if err == nil {
				_, err = io.ReadAll(c)
			}
			if err == nil {
				t.Errorf("%s: it was served", want)
			}
		}
		_ = c.Close()
		w.left.Wait()
		if w.ends[0].Reason != want || w.dials != 0 {
			t.Errorf("got %+v, want %s; %d dials", w.ends[0], want, w.dials)
		}
	}
}

// TestNoAuthority: without certificates of its own a sandbox has no TLS opened.
func TestNoAuthority(t *testing.T) {
	w := start(t, true, func(http.ResponseWriter, *http.Request) {}, func(c *request.Config) { c.Authority = nil })
	c := w.connect()
	_ = tls.Client(c, &tls.Config{ServerName: "far.test", InsecureSkipVerify: true}).Handshake()
	_ = c.Close()
	w.left.Wait()
	if w.ends[0].Reason != request.NotGranted || w.dials != 0 {
		t.Errorf("%+v", w.ends[0])
	}
}

// TestAddresses: a connection to an address is for that address, however it is
// written.
func TestAddresses(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	for _, tc := range []struct{ host, header, want string }{
		{"192.0.2.1", "192.0.2.1:8080", "200"}, {"192.0.2.1", "192.0.2.1", "200"}, {"192.0.2.1", "[::ffff:192.0.2.1]", "200"},
		{"192.0.2.1", "192.0.2.2", "421"}, {"192.0.2.1", "3221225985", "421"}, {"192.0.2.1", "far.test", "421"}, {"192.0.2.1", "192.0.2.1:80", "421"},
		{"2001:db8::1", "[2001:db8::1]:8080", "200"}, {"2001:db8::1", "[2001:DB8:0::1]", "200"}, {"2001:db8::1", "[2001:db8::2]", "421"},
		{"far.test", "192.0.2.1", "421"},
	} {
		w.to = request.Destination{Host: tc.host, Port: 8080}
		answer := w.raw("GET / HTTP/1.1\r\nHost: " + tc.header + "\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 "+tc.want) {
			t.Errorf("%s, Host %s: %q, want %s", tc.host, tc.header, answer, tc.want)
		}
	}
}

// TestLong: whatever a program makes long, records of it are not.
func TestLong(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	long := strings.Repeat("a", 50<<10)
	for _, text := range []string{"GET /" + long + " HTTP/1.1\r\nHost: far.test", long + " / HTTP/1.1\r\nHost: far.test", "GET / HTTP/1.1\r\nHost: " + long} {
		w.raw(text + "\r\nConnection: close\r\n\r\n")
	}
	if len(w.told) != 3 || w.asks[0].Path != "/"+long {
		t.Fatalf("%d records", len(w.told))
	}
	for _, r := range w.told {
		if n := len(r.Method) + len(r.Path) + len(r.Why); n > 10<<10 {
			t.Errorf("a record of %d bytes", n)
		}
	}
}

// TestQuery: what HTTP/2 carries in a query ends no request line of HTTP/1.1.
func TestQuery(t *testing.T) {
	w := startAs(t, true, []string{"http/1.1"}, func(http.ResponseWriter, *http.Request) {}, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url()+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = "x HTTP/1.1\u00e9\"#"
	resp, err := w.client(true).Do(r)
	if body(t, resp, err); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if got, want := w.served(), []string{`GET far.test /a?x%20HTTP/1.1%C3%A9"%23`}; !slices.Equal(got, want) {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}
