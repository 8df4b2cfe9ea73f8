package request_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request"
)

// A message is a request as somebody reads it.
type message struct{ method, target, host, body string }

// strictly reads one request as RFC 9112 has them written, and refuses whatever
// some reader takes for something else.
func strictly(r *bufio.Reader) (m message, err error) {
	line, err := strictLine(r)
	if err != nil {
		return m, err
	}
	words := strings.Split(line, " ")
	if len(words) != 3 || !strictToken(words[0]) || words[1] == "" || words[2] != "HTTP/1.1" || strings.ContainsFunc(words[1], func(c rune) bool { return c <= ' ' || c > '~' || c == '#' }) {
		return m, fmt.Errorf("the request line %q", line)
	}
	m.method, m.target = words[0], words[1]
	fields, err := strictFields(r)
	if err != nil {
		return m, err
	}
	host, length, coding := fields["host"], fields["content-length"], fields["transfer-encoding"]
	switch {
	case len(host) != 1:
		return m, fmt.Errorf("hosts %q", host)
	case len(length)+len(coding) > 1:
		return m, fmt.Errorf("lengths %q and codings %q", length, coding)
	case len(coding) == 1 && coding[0] != "chunked":
		return m, fmt.Errorf("the coding %q", coding)
	}
	m.host = host[0]
	switch {
	case len(coding) == 1:
		m.body, err = strictChunks(r)
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != length[0] {
			return m, fmt.Errorf("the length %q", length[0])
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return m, errCut
		}
		m.body = string(body)
	}
	return m, err
}

// errCut says that the text ends before its request does.
var errCut = errors.New("cut off")

func strictLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", errCut
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("the line %q", line)
	}
	return text, nil
}

func strictToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// strictFields reads lines of headers up to the empty one.
func strictFields(r *bufio.Reader) (map[string][]string, error) {
	all := map[string][]string{}
	for {
		line, err := strictLine(r)
		if err != nil || line == "" {
			return all, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strictToken(name) {
			return nil, fmt.Errorf("the header %q", line)
		}
		for _, c := range []byte(value) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return nil, fmt.Errorf("the header %q", line)
			}
		}
		name = strings.ToLower(name)
		all[name] = append(all[name], strings.Trim(value, " \t"))
	}
}

func strictChunks(r *bufio.Reader) (string, error) {
	var body strings.Builder
	for {
		line, err := strictLine(r)
		if err != nil {
			return "", err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return "", fmt.Errorf("the chunk %q", line)
		}
		if n == 0 {
			_, err := strictFields(r)
			return body.String(), err
		}
		if _, err := io.CopyN(&body, r, int64(n)); err != nil {
			return "", errCut
		}
		if end, err := strictLine(r); err != nil || end != "" {
			return "", errors.Join(err, errCut)
		}
	}
}

// loosely reads one request as net/http does.
func loosely(r *bufio.Reader) (m message, err error) {
	h, err := http.ReadRequest(r)
	if err != nil {
		return m, err
	}
	body, err := io.ReadAll(h.Body)
	return message{h.Method, h.RequestURI, h.Host, string(body)}, err
}

// readAll reads as many requests as there are.
func readAll(text []byte, read func(*bufio.Reader) (message, error)) (all []message, err error) {
	r := bufio.NewReader(bytes.NewReader(text))
	for {
		if _, err := r.Peek(1); err != nil {
			return all, nil
		}
		m, err := read(r)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

// A taped is a flow whose server keeps all that it is sent.
type taped struct {
	mu    sync.Mutex
	asks  []request.Ask   // guarded by mu
	tapes []*bytes.Buffer // guarded by mu
	work  sync.WaitGroup
}

func (f *taped) Decide(_ context.Context, a request.Ask) request.Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks = append(f.asks, a)
	return request.Answer{Allowed: true}
}

func (f *taped) Leads(context.Context, request.Ask) request.Answer {
	return request.Answer{Allowed: true}
}

func (f *taped) Told(request.Record) {}

func (f *taped) Dial(context.Context, func(netip.AddrPort) net.Conn) (net.Conn, error) {
	ours, theirs := net.Pipe()
	tape := &bytes.Buffer{}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tapes = append(f.tapes, tape)
	f.work.Go(func() {
		defer theirs.Close()
		in := bufio.NewReader(io.TeeReader(theirs, tape))
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				_, _ = io.Copy(io.Discard, in) // keep what comes
				return
			}
			if r.Header.Get("Expect") != "" {
				_, _ = io.WriteString(theirs, "HTTP/1.1 100 Continue\r\n\r\n")
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if _, err := io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	})
	return ours, nil
}

// said is the connection of a program that says one thing, hears everything, and is
// gone soon after.
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
	select {
	case <-s.over:
	case <-time.After(30 * time.Millisecond):
	}
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

// FuzzForwarded: whatever a program says, a strict reader and net/http read the same
// requests in what goes out, and those are the ones that were decided.
func FuzzForwarded(f *testing.F) {
	const head = "POST /a HTTP/1.1\r\nHost: far.test\r\n"
	for _, s := range []string{
		"GET /a?b=c HTTP/1.1\r\nHost: far.test\r\n\r\n", head + "Content-Length: 3\r\n\r\nabc", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		head + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n", head + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		head + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", head + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", head + "X: a\nContent-Length: 1\n\nx",
		"GET http://far.test/a HTTP/1.1\r\nHost: far.test\r\n\r\nGET /b HTTP/1.0\r\n\r\n", "GET /%2e%2e/\xc3\xa9 HTTP/1.1\r\nHost: far.test\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: far.test\r\n\r\n",
		"GET /a?b#\xc3\xa9\" HTTP/1.1\r\nHost: far.test\r\n\r\n",
		"GET //x/y HTTP/1.1\r\nHost: far.test\r\n\r\n", "GET /a HTTP/1.1\r\nHost: far.test:80\r\nConnection: x-y, close\r\nX-Y: 1\r\nTe: trailers\r\n\r\n",
	} {
		f.Add(s)
	}
	e := request.New(f.Context(), request.Config{})
	f.Cleanup(e.Close)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "PRI * HTTP/2.0") {
			return // what goes out then is HTTP/2, of which no text is read
		}
		flow := &taped{}
		c := &said{in: strings.NewReader(text + "GET /end HTTP/1.1\r\nHost: far.test\r\nConnection: close\r\n\r\n"), over: make(chan struct{})}
		e.Serve(t.Context(), c, request.Destination{Host: "far.test", Port: 80}, flow)
		flow.work.Wait()
		decided := flow.asks
		for _, tape := range flow.tapes {
			strict, err := readAll(tape.Bytes(), strictly)
			if err != nil && !errors.Is(err, errCut) {
				t.Fatalf("%q: %v in %q", text, err, tape)
			}
			loose, _ := readAll(tape.Bytes(), loosely) // what is cut off, neither reads
			if !slices.Equal(strict, loose) {
				t.Fatalf("%q: read as %q and as %q", text, strict, loose)
			}
			for _, m := range strict {
				path, _, _ := strings.Cut(m.target, "?")
				at := slices.IndexFunc(decided, func(a request.Ask) bool { return a.Method == m.method && a.Path == path })
				if at < 0 || m.host != "far.test" {
					t.Fatalf("%q: sent %q, decided %v", text, m, decided)
				}
				decided = slices.Delete(slices.Clone(decided), at, at+1)
			}
		}
	})
}
