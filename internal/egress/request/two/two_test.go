package two_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"ambit.dev/ambit/internal/egress/leaktest"
	"ambit.dev/ambit/internal/egress/request/two"
)

// apart does something in a goroutine of its own.
func apart(f func()) { go f() }

// TestMain runs the tests, and waits until no goroutine is left of them.
func TestMain(m *testing.M) { leaktest.Main(m) }

const maxHeader = 64 << 10

// A peer is the other side of a connection, frame by frame.
type peer struct {
	*http2.Framer
	t     *testing.T
	c     net.Conn
	coder *hpack.Encoder
	block bytes.Buffer
}

// ends are the two ends of a connection.
func ends(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

func speak(t *testing.T, c net.Conn) *peer {
	p := &peer{Framer: http2.NewFramer(c, c), t: t, c: c}
	p.coder = hpack.NewEncoder(&p.block)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.AllowIllegalWrites = true
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return p
}

// program is a program's side of a connection that h answers. It has said its preface
// and settings.
func program(t *testing.T, h two.Handler, settings ...http2.Setting) *peer {
	t.Helper()
	ours, theirs := ends(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		two.Serve(t.Context(), ours, maxHeader, time.Minute, apart, h)
	}()
	t.Cleanup(func() {
		_ = theirs.Close()
		<-done
	})
	p := speak(t, theirs)
	_, err := io.WriteString(theirs, http2.ClientPreface)
	p.must(err)
	p.must(p.WriteSettings(settings...))
	return p
}

// dialled is a client whose server is a peer that has said its settings.
func dialled(t *testing.T, settings ...http2.Setting) (*two.Client, *peer) {
	t.Helper()
	ours, theirs := ends(t)
	k := two.Dialled(ours, maxHeader, time.Minute)
	t.Cleanup(k.Close)
	p := speak(t, theirs)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(theirs, preface); err != nil || string(preface) != http2.ClientPreface {
		t.Fatalf("it began with %q, %v", preface, err)
	}
	p.must(p.WriteSettings(settings...))
	return k, p
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// head writes a header, of names and values in turn.
func (p *peer) head(id uint32, end bool, fields ...string) {
	p.t.Helper()
	p.must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields), EndStream: end, EndHeaders: true}))
}

func (p *peer) encode(fields []string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.must(p.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return p.block.Bytes()
}

// get are the fields of a request.
func get(path string, more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "https", ":authority", "far.test", ":path", path}, more...)
}

// until reads frames until one is wanted.
func (p *peer) until(wanted func(f http2.Frame) bool) http2.Frame {
	p.t.Helper()
	for {
		f, err := p.ReadFrame()
		if err != nil {
			p.t.Fatalf("it did not come: %v", err)
		}
		if wanted(f) {
			return f
		}
	}
}

// outcome is how a stream, or else the connection, ends: the status of its answer, or
// the name of the error.
func (p *peer) outcome(id uint32) string {
	p.t.Helper()
	f := p.until(func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			return f.StreamID == id
		case *http2.RSTStreamFrame:
			return f.StreamID == id
		case *http2.GoAwayFrame:
			return true
		}
		return false
	})
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return f.PseudoValue("status")
	case *http2.RSTStreamFrame:
		return "stream " + f.ErrCode.String()
	case *http2.GoAwayFrame:
		return "connection " + f.ErrCode.String()
	}
	return ""
}

// fine answers with what it was asked.
func fine(w *two.Reply, r *http.Request) bool {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	_, err = fmt.Fprintf(w, "%s %s%s %s %v", r.Method, r.Host, r.RequestURI, b, r.Trailer)
	return err == nil
}

// TestMalformed: what is malformed ends its stream, and what is no HTTP/2 the
// connection. Neither is handed to anybody.
func TestMalformed(t *testing.T) {
	const stream, connection = "stream PROTOCOL_ERROR", "connection PROTOCOL_ERROR"
	without := func(name string) (f []string) {
		all := get("/")
		for i := 0; i < len(all); i += 2 {
			if all[i] != name {
				f = append(f, all[i], all[i+1])
			}
		}
		return f
	}
	with := func(name, value string) []string { return append(without(name), name, value) }
	for name, tc := range map[string]struct {
		fields []string
		want   string
	}{
		"fine":                  {get("/"), "200"},
		"no authority":          {append(without(":authority"), "host", "far.test"), "200"},
		"a length":              {get("/", "content-length", "0"), "200"},
		"no method":             {without(":method"), stream},
		"no scheme":             {without(":scheme"), stream},
		"no path":               {without(":path"), stream},
		"an empty path":         {with(":path", ""), stream},
		"a path that is none":   {with(":path", "a b"), stream},
		"a scheme of others":    {with(":scheme", "ftp"), stream},
		"a method of two words": {with(":method", "GET /x"), stream},
		"an empty method":       {with(":method", ""), stream},
		"a user in the host":    {with(":authority", "a@far.test"), stream},
		"two paths":             {get("/", ":path", "/b"), stream},
		"unknown pseudo":        {append([]string{":odd", "x"}, get("/")...), stream},
		"protocol":              {append([]string{":protocol", "websocket"}, get("/")...), stream},
		"status":                {append([]string{":status", "200"}, get("/")...), stream},
		"pseudo after others":   {append([]string{"a", "b"}, get("/")...), stream},
		"capitals":              {get("/", "X-A", "b"), stream},
		"a space in a name":     {get("/", "x a", "b"), stream},
		"a line in a value":     {get("/", "x", "a\r\nhost: other.test"), stream},
		"a null in a value":     {get("/", "x", "a\x00b"), stream},
		"connection":            {get("/", "connection", "close"), stream},
		"transfer-encoding":     {get("/", "transfer-encoding", "chunked"), stream},
		"keep-alive":            {get("/", "keep-alive", "1"), stream},
		"upgrade":               {get("/", "upgrade", "websocket"), stream},
		"te":                    {get("/", "te", "gzip"), stream},
		"two hosts":             {append(without(":authority"), "host", "a", "host", "b"), stream},
		"two lengths":           {get("/", "content-length", "0", "content-length", "1"), stream},
		"a length with a sign":  {get("/", "content-length", "+1"), stream},
		"a length of nothing":   {get("/", "content-length", "5"), stream},
		"CONNECT with a path":   {with(":method", "CONNECT"), stream},
		"too long":              {get("/", "x", strings.Repeat("a", maxHeader)), "431"},
	} {
		t.Run(name, func(t *testing.T) {
			handed := make(chan string, 9)
			p := program(t, func(w *two.Reply, r *http.Request) bool {
				handed <- r.RequestURI
				return fine(w, r)
			})
			block := bytes.Clone(p.encode(tc.fields))
			p.must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:min(len(block), 16<<10)], EndStream: true, EndHeaders: len(block) <= 16<<10}))
			for at := 16 << 10; at < len(block); at += 16 << 10 {
				p.must(p.WriteContinuation(1, at+16<<10 >= len(block), block[at:min(len(block), at+16<<10)]))
			}
			if got := p.outcome(1); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			p.head(3, true, get("/next")...)
			if got := p.outcome(3); got != "200" {
				t.Errorf("the next one: %s", got)
			}
			if tc.want == "200" {
				<-handed
			}
			if got := <-handed; got != "/next" {
				t.Errorf("it was handed %s", got)
			}
		})
	}
	for name, tc := range map[string]struct {
		say  func(p *peer)
		want string
	}{
		"an even stream":      {func(p *peer) { p.head(2, true, get("/")...) }, connection},
		"data before a head":  {func(p *peer) { p.must(p.WriteData(1, false, []byte("x"))) }, connection},
		"a window of nothing": {func(p *peer) { p.must(p.WriteWindowUpdate(1, 1)) }, connection},
		"a reset of nothing":  {func(p *peer) { p.must(p.WriteRSTStream(1, 0)) }, connection},
		"a window too large":  {func(p *peer) { p.must(p.WriteWindowUpdate(0, 1<<31-1)) }, "connection FLOW_CONTROL_ERROR"},
		"a promise": {func(p *peer) {
			p.must(p.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true}))
		}, connection},
		"a setting": {func(p *peer) { p.must(p.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1})) }, connection},
		"a head in another": {func(p *peer) {
			p.must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get("/"))}))
			p.must(p.WriteData(1, true, nil))
		}, connection},
		"an older stream": {func(p *peer) { p.head(5, true, get("/")...); p.outcome(5); p.head(3, true, get("/")...) }, connection},
		"a long frame":    {func(p *peer) { p.must(p.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 17<<10))) }, "connection FRAME_SIZE_ERROR"},
		"no header's code": {func(p *peer) {
			p.must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff}, EndHeaders: true, EndStream: true}))
		}, "connection COMPRESSION_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			p := program(t, fine)
			tc.say(p)
			if got := p.outcome(1); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if _, err := p.ReadFrame(); err == nil {
				t.Error("it goes on")
			}
		})
	}
}

// TestBodies: a body has the length that it says, and a trailer only what was
// announced and may be in one.
func TestBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		say  func(p *peer)
		want string
	}{
		"as long as it says": {func(p *peer) {
			p.head(1, false, get("/", "content-length", "3")...)
			p.must(p.WriteDataPadded(1, false, []byte("ab"), make([]byte, 9)))
			p.must(p.WriteData(1, true, []byte("c")))
		}, "GET far.test/ abc map[]"},
		"with a trailer": {func(p *peer) {
			p.head(1, false, get("/", "trailer", "x-sum, content-length")...)
			p.must(p.WriteData(1, false, []byte("abc")))
			p.head(1, true, "x-sum", "1", "x-other", "2")
		}, "GET far.test/ abc map[X-Sum:[1]]"},
		"longer": {func(p *peer) {
			p.head(1, false, get("/", "content-length", "3")...)
			p.must(p.WriteData(1, true, []byte("abcd")))
		}, "stream PROTOCOL_ERROR"},
		"longer, and goes on": {func(p *peer) {
			p.head(1, false, get("/", "content-length", "3")...)
			p.must(p.WriteData(1, false, []byte("abcd")))
		}, "stream PROTOCOL_ERROR"},
		"shorter": {func(p *peer) {
			p.head(1, false, get("/", "content-length", "3")...)
			p.must(p.WriteData(1, true, []byte("ab")))
		}, "stream PROTOCOL_ERROR"},
		"shorter, by a trailer":   {func(p *peer) { p.head(1, false, get("/", "content-length", "3")...); p.head(1, true, "x", "y") }, "stream PROTOCOL_ERROR"},
		"a trailer that goes on":  {func(p *peer) { p.head(1, false, get("/")...); p.head(1, false, "x", "y") }, "stream PROTOCOL_ERROR"},
		"a trailer with a path":   {func(p *peer) { p.head(1, false, get("/")...); p.head(1, true, ":path", "/y") }, "stream PROTOCOL_ERROR"},
		"a trailer with a length": {func(p *peer) { p.head(1, false, get("/")...); p.head(1, true, "content-length", "1") }, "stream PROTOCOL_ERROR"},
		"more after its end":      {func(p *peer) { p.head(1, true, get("/hold")...); p.must(p.WriteData(1, true, []byte("x"))) }, "stream STREAM_CLOSED"},
	} {
		t.Run(name, func(t *testing.T) {
			p := program(t, func(w *two.Reply, r *http.Request) bool {
				if r.URL.Path == "/hold" {
					<-r.Context().Done()
				}
				return fine(w, r)
			})
			tc.say(p)
			got := p.outcome(1)
			if got == "200" {
				got = string(p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameData }).(*http2.DataFrame).Data())
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
