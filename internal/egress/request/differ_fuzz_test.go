package request_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// An exchanged is one request and its response, as both ends have them.
type exchanged struct{ asked, answered string }

func told(h http.Header) string {
	var all []string
	for name, values := range h {
		if name != "Date" {
			all = append(all, fmt.Sprintf("%s=%q", name, values))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// FuzzSame: what a program and a server say to each other by HTTP/2 through an engine
// is what they say without it.
func FuzzSame(f *testing.F) {
	for _, s := range []struct {
		method, path string
		up, down     uint32
		how          uint8
	}{
		{"GET", "/", 0, 0, 0}, {"GET", "/a?b=c", 0, 10, 1}, {"POST", "/b", 70000, 300000, 2}, {"PUT", "/%41/ü", 1, 1 << 20, 4}, {"HEAD", "/", 0, 100, 8}, {"POST", "/e", 5, 5, 16},
		{"POST", "/t", 400000, 3, 32}, {"DELETE", "/x//y", 0, 0, 64}, {"PATCH", "/", 16384, 16384, 128}, {"POST", "/all", 65536, 65535, 0xff}, {"OPTIONS", "/", 0, 40, 3}, {"POST", "/", 600000, 0, 34},
	} {
		f.Add(s.method, s.path, s.up, s.down, s.how)
	}
	f.Fuzz(func(t *testing.T, method, path string, up, down uint32, how uint8) {
		up, down = up%(1<<20), down%(1<<20)
		flag := func(n int) bool { return how>>n&1 == 1 }
		asked := make(chan string, 2)
		w := start(t, false, func(rw http.ResponseWriter, r *http.Request) {
			h := rw.Header()
			if flag(0) {
				h.Set("Content-Length", fmt.Sprint(down))
			}
			if flag(1) {
				h["X-Many"] = []string{"a", "", "b, c"}
				h.Add("Set-Cookie", "a=b")
				h.Add("Set-Cookie", "c=d")
			}
			if flag(4) {
				rw.WriteHeader(http.StatusEarlyHints)
			}
			if flag(5) {
				h.Set("Trailer", "X-Sum")
			}
			body, err := io.ReadAll(r.Body)
			asked <- fmt.Sprintf("%s %s %s %d %d %v; %s; %s", r.Method, r.Host, r.RequestURI, r.ContentLength, len(body), err, told(r.Header), told(r.Trailer))
			if flag(6) {
				rw.WriteHeader(http.StatusNoContent)
				return
			}
			for n := int(down); n > 0; n -= min(n, 30000) {
				_, _ = rw.Write(make([]byte, min(n, 30000)))
				if flag(2) {
					_ = http.NewResponseController(rw).Flush()
				}
			}
			if flag(5) {
				h.Set("X-Sum", "1")
			}
			if flag(7) {
				h.Set(http.TrailerPrefix+"X-Late", "2")
			}
		}, nil)
		through := w.client(true)
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", w.server)
		}
		var p http.Protocols
		p.SetUnencryptedHTTP2(true)
		straight := &http.Transport{DialContext: dial, Protocols: &p, TLSClientConfig: &tls.Config{}}
		defer straight.CloseIdleConnections()
		var both [2]exchanged
		for i, c := range []*http.Client{{Transport: straight}, through} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", int(up)))
			if flag(1) {
				body = io.MultiReader(body) // of a length that nobody says
			}
			if up == 0 {
				body = nil
			}
			r, err := http.NewRequestWithContext(t.Context(), method, w.url(), body)
			if err != nil {
				return
			}
			r.URL.Path = path
			if method == http.MethodConnect || method == http.MethodTrace || !strings.HasPrefix(r.URL.EscapedPath(), "/") || path == "/end" {
				return // refused, which other tests hold
			}
			r.Header["User-Agent"] = nil
			r.Header.Set("Cookie", "a=b; c=d")
			if flag(3) {
				r.Header["X-Mine"] = []string{"a", "", "b"}
			}
			if flag(5) && up > 0 {
				r.Trailer = http.Header{"X-After": {"3"}}
			}
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(i, err)
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			both[i] = exchanged{<-asked, fmt.Sprintf("%d %d %v; %s; %s", resp.StatusCode, len(text), err, told(resp.Header), told(resp.Trailer))}
		}
		if both[0] != both[1] {
			t.Errorf("without %+v\nthrough %+v", both[0], both[1])
		}
	})
}
