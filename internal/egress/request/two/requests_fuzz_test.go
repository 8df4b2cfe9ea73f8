package two_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"ambit.dev/ambit/internal/egress/request/two"
)

// said is the connection of a program that says one thing and hears nothing. It is
// gone when it is closed.
type said struct {
	net.Conn
	in   io.Reader
	over chan struct{}
	once sync.Once
}

func (s *said) Read(b []byte) (int, error) {
	if n, err := s.in.Read(b); n > 0 || len(b) == 0 {
		return n, err
	}
	<-s.over
	return 0, io.EOF
}

func (s *said) Write(b []byte) (int, error) { return len(b), nil }

func (s *said) Close() error {
	s.once.Do(func() { close(s.over) })
	return nil
}

func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }
func (*said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*said) LocalAddr() net.Addr              { return &net.TCPAddr{} }

// one is a listener with one connection.
type one struct {
	c    chan net.Conn
	over chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	select {
	case c := <-l.c:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.TCPAddr{} }

// heads are those of the requests that somebody took, as texts.
type heads struct {
	mu   sync.Mutex
	all  []string
	last chan struct{} // closed with the last one
}

func (h *heads) took(r *http.Request) {
	var fields []string
	for name, values := range r.Header {
		if name == "Host" {
			continue // it is never sent: that of the pseudo-header is
		}
		fields = append(fields, fmt.Sprintf("%s=%q", name, values))
	}
	slices.Sort(fields)
	var late []string
	for name := range r.Trailer {
		late = append(late, name)
	}
	slices.Sort(late)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprintf("%s %s %q %q %d %v %v", r.Method, r.Host, r.RequestURI, r.URL.String(), r.ContentLength, fields, late))
	if r.RequestURI == "/last" {
		close(h.last)
	}
}

// fieldsOf are the fields of a header that a text has, one a line.
func fieldsOf(text string) (all []hpack.HeaderField) {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		all = append(all, hpack.HeaderField{Name: name, Value: value})
	}
	return all
}

// FuzzRequests: what is taken for a request is what net/http takes for one, with the
// same method, host, path, header and length. It may be less, and nothing is more.
func FuzzRequests(f *testing.F) {
	const head = ":method=GET\n:scheme=https\n:authority=far.test\n:path=/a"
	for _, more := range []string{"", "\nx=y", "\nhost=other.test", "\ncookie=a\ncookie=b", "\ncontent-length=3", "\ncontent-length=3\ncontent-length=4", "\ntrailer=x, y",
		"\nte=trailers", "\nte=gzip", "\nexpect=100-continue", "\nconnection=close", "\nX=y", "\nx=\r\ny", "\n:path=/b", "\nx=a\nx=b\ny=c"} {
		f.Add(head+more, true)
		f.Add(head+more, false)
	}
	for _, s := range []string{":method=CONNECT\n:authority=far.test:443", ":method=CONNECT\n:authority=a\n:path=/", ":method=GET\n:scheme=ftp\n:authority=a\n:path=/", ":method=GET\n:scheme=http\n:path=*\nhost=b",
		":method=G T\n:scheme=http\n:path=/\n:authority=a", ":method=GET\n:scheme=http\n:path=http://other.test/\n:authority=a", ":method=GET\n:scheme=http\n:path=/%zz\n:authority=a@b",
		":method=GET\n:scheme=http\n:path=//a?b#c\n:authority=", ":method=GET\n:scheme=http\n:path=/\n:authority=a\n:protocol=websocket"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, end bool) {
		var block, wire bytes.Buffer
		coder := hpack.NewEncoder(&block)
		wire.WriteString(http2.ClientPreface)
		frames := http2.NewFramer(&wire, nil)
		_ = frames.WriteSettings()
		for _, field := range fieldsOf(text) {
			_ = coder.WriteField(field)
		}
		if block.Len() > 16<<10 {
			return
		}
		_ = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: end, EndHeaders: true})
		block.Reset()
		for _, field := range fieldsOf(":method=GET\n:scheme=https\n:authority=far.test\n:path=/last") {
			_ = coder.WriteField(field)
		}
		_ = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})

		ours, theirs := &heads{last: make(chan struct{})}, &heads{last: make(chan struct{})}
		here := &said{in: bytes.NewReader(wire.Bytes()), over: make(chan struct{})}
		over := make(chan struct{})
		go func() {
			defer close(over)
			two.Serve(t.Context(), here, maxHeader, time.Minute, apart, func(_ *two.Reply, r *http.Request) bool {
				ours.took(r)
				return true
			})
		}()
		<-ours.last // what is malformed ends its stream only
		_ = here.Close()
		<-over

		var p http.Protocols
		p.SetUnencryptedHTTP2(true)
		s := &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { theirs.took(r) }), DisableGeneralOptionsHandler: true}
		l := &one{c: make(chan net.Conn, 1), over: make(chan struct{})}
		there := &said{in: bytes.NewReader(wire.Bytes()), over: make(chan struct{})}
		l.c <- there
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = s.Serve(l)
		}()
		<-theirs.last
		for _, head := range ours.all {
			for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // each has a goroutine of its own
				theirs.mu.Lock()
				known := slices.Contains(theirs.all, head)
				theirs.mu.Unlock()
				if known {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%q: taken for %s, by net/http for %q", text, head, theirs.all)
				}
			}
		}
		_ = there.Close()
		close(l.over)
		_ = s.Close()
		<-served
	})
}
