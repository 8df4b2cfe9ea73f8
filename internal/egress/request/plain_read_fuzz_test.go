package request

import (
	"bufio"
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzReadPlain: what is read of a plain head by itself is what net/http reads of it,
// and a server hears the same of it as net/http would have said.
func FuzzReadPlain(f *testing.F) {
	for _, s := range []string{
		"GET /a?b HTTP/1.1\r\nHost: far.test\r\n\r\n", "HEAD // HTTP/1.1\r\nHOST: [::1]:80\r\nX:  a\tb \r\nx: c\r\nconnection: CLOSE\r\n\r\nrest",
		"DELETE /%41%2f?%zz HTTP/1.1\r\nHost: a:1\r\nUser-Agent:\r\nCookie: a\r\nCookie: b\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
		"OPTIONS /*?a? HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nuser-agent: y\r\nConnection: keep-alive\r\nX_y!: \r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX-" + strings.Repeat("long-", 9) + ": a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, size := examine(text)
		if l != plain {
			return
		}
		got := readPlain(text[:size])
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got == nil {
			if want.Body == http.NoBody && want.Header["Content-Length"] == nil && want.Header["Pragma"] == nil {
				t.Fatalf("%q is not read", text)
			}
			return
		}
		delete(want.Header, "Host")
		delete(want.Header, "Connection")
		if !reflect.DeepEqual(got, want.WithContext(context.Background())) && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as\n%+v, want\n%+v", text, got, want)
		}
		said := func(write func(f *straight, r *http.Request) error) []string {
			var b bytes.Buffer
			s := &straight{out: bufio.NewWriter(&b)}
			r := *got
			r.Header, r.URL, r.Close = maps.Clone(got.Header), &url.URL{Path: got.URL.Path, RawPath: got.URL.RawPath, RawQuery: query(got.URL.RawQuery), ForceQuery: got.URL.ForceQuery}, false
			if _, ok := r.Header["User-Agent"]; !ok {
				r.Header["User-Agent"] = []string{""}
			}
			if err := write(s, &r); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if err := s.out.Flush(); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(b.String(), "\r\n")
			slices.Sort(lines[1 : len(lines)-2]) // the order of headers with other names says nothing
			return lines
		}
		mine, theirs := said((*straight).write), said(func(f *straight, r *http.Request) error { return r.Write(f.out) })
		if !slices.Equal(mine, theirs) {
			t.Fatalf("%q is said as\n%q, want\n%q", text, mine, theirs)
		}
	})
}
