package two

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A Client is this end of a connection to a server.
type Client struct {
	link
	next  uint32 // the stream that is begun next; guarded by mu
	most  int    // streams at once that the server wants; guarded by mu
	taken int    // streams that were reserved and not begun; guarded by mu
	list  uint32 // how long a header may be; guarded by mu
	ended chan struct{}
	tired func()
}

// Dialled makes a client of a connection. maxHeader bounds the header of a response.
// It ends by Close, when the server ends it, and after idle without a request.
func Dialled(c net.Conn, maxHeader uint32, idle time.Duration) *Client {
	k := &Client{next: 1, most: 100, list: 1<<32 - 1, ended: make(chan struct{})}
	hello := append([]byte(http2.ClientPreface), settingsFrame(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeader})...)
	k.open(c, k, hello, maxHeader)
	k.tired = k.tire(idle)
	go func() {
		defer close(k.ended)
		k.end(k.read())
		k.tired()
	}()
	return k
}

// Close ends the connection. Nothing of it is left then.
func (k *Client) Close() {
	k.link.Close()
	<-k.ended
}

// Reserve keeps room for one request, which Send uses. false: there is none.
func (k *Client) Reserve() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.going || len(k.streams)+k.taken >= k.most || k.next > maxWindow-2*maxStreams {
		return false
	}
	k.taken++
	return true
}

// Ended reports whether nothing is left of it.
func (k *Client) Ended() bool {
	select {
	case <-k.ended:
		return true
	default:
		return false
	}
}

// Over reports whether no request can be sent by it any more.
func (k *Client) Over() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed || k.going || k.next > maxWindow-2*maxStreams
}

// Unbegun reports whether an error says that the server has not looked at a request.
func Unbegun(err error) bool {
	if errors.Is(err, errUnbegun) {
		return true
	}
	r, ok := errors.AsType[*Reset](err)
	return ok && r.Code == http2.ErrCodeRefusedStream
}

var errUnbegun = errors.New("the server takes no more requests by this connection")

// Send sends a request that there is room for, and returns the head of its response.
// before is told of what comes before that. secret has nobody keep the header.
func (k *Client) Send(ctx context.Context, r *http.Request, secret bool, before func(code int, h http.Header)) (*http.Response, error) {
	st, err := k.begin(r, secret)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { st.leave(context.Cause(ctx)) })
	if r.Body != nil && r.Body != http.NoBody {
		go st.pump(r)
	}
	resp, err := st.heard(before)
	if err != nil {
		stop()
		st.leave(err)
		return nil, err
	}
	resp.Request = r
	if resp.Body == nil {
		resp.Body = &responseBody{st, resp, stop}
	} else {
		stop()
	}
	return resp, nil
}

// begin says the head of a request.
func (k *Client) begin(r *http.Request, secret bool) (*stream, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.taken--
	if k.closed || k.going {
		return nil, errUnbegun
	}
	if k.list < 1<<32-1 && listSize(r) > int64(k.list) {
		return nil, errors.New("the header is longer than the server takes")
	}
	for len(k.held) >= maxHeld && !k.closed && !k.going {
		k.wait()
	}
	if k.closed || k.going {
		return nil, errUnbegun
	}
	k.sayRequest(r, secret)
	st := k.stream(k.next)
	st.from = r
	k.next += 2
	st.piece = k.piece
	if r.Body == nil || r.Body == http.NoBody {
		st.ended = true
		k.sayHead(st.id, http2.FlagHeadersEndStream)
	} else {
		st.flags = k.sayHead(st.id, 0)
	}
	return st, nil
}

// listSize is at least how long a header is, as HTTP/2 counts it.
func listSize(r *http.Request) (n int64) {
	add := func(name, value string) { n += int64(hpack.HeaderField{Name: name, Value: value}.Size()) }
	add(":authority", r.Host)
	add(":method", r.Method)
	add(":path", r.URL.RequestURI())
	add(":scheme", r.URL.Scheme)
	for name, values := range r.Header {
		for _, v := range values {
			add(name, v)
		}
	}
	return n
}

// sayRequest writes the header of a request. mu is held.
func (k *Client) sayRequest(r *http.Request, secret bool) {
	k.field(":authority", r.Host, false)
	k.field(":method", r.Method, false)
	k.field(":path", r.URL.RequestURI(), secret)
	k.field(":scheme", r.URL.Scheme, false)
	if len(r.Trailer) > 0 {
		var names []string
		for name := range r.Trailer {
			names = append(names, name)
		}
		slices.Sort(names)
		k.field("trailer", strings.Join(names, ","), false)
	}
	k.fields(r.Header, secret, func(name string) bool {
		switch name {
		case "content-length", "trailer", "cookie":
			return true
		case "user-agent":
			return r.Header.Get("User-Agent") == ""
		}
		return false
	})
	for _, v := range r.Header["Cookie"] {
		for crumb := range strings.SplitSeq(v, "; ") {
			if validValue(crumb) {
				k.field("cookie", crumb, secret)
			}
		}
	}
	body := r.Body != nil && r.Body != http.NoBody
	switch {
	case body && r.ContentLength > 0:
		k.field("content-length", strconv.FormatInt(r.ContentLength, 10), false)
	case !body && (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch):
		k.field("content-length", "0", false)
	}
}

// pump sends the body of a request. What it breaks off with is the request's end.
func (st *stream) pump(r *http.Request) {
	buf := buffers.Get().(*[maxFrame]byte)
	defer buffers.Put(buf)
	for {
		n, err := r.Body.Read(buf[:])
		if n > 0 {
			if _, err := st.send(buf[:n]); err != nil {
				return // its response says why
			}
		}
		if errors.Is(err, io.EOF) {
			l := st.link
			l.mu.Lock()
			st.finish(func() { l.fields(r.Trailer, true, nil) })
			l.mu.Unlock()
			return
		}
		if err != nil {
			st.leave(err)
			return
		}
	}
}

// leave ends a stream that nobody wants any more, with an error.
func (st *stream) leave(err error) {
	l := st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if st.over && st.ended {
		return
	}
	if st.err == nil {
		st.err = err
		if l.streams[st.id] == st {
			l.sayReset(st.id, http2.ErrCodeCancel)
		}
	}
	l.drop(st, err)
}

// heard waits for the head of a response.
func (st *stream) heard(before func(code int, h http.Header)) (*http.Response, error) {
	l := st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if len(st.early) > 0 {
			e := st.early[0]
			st.early = st.early[1:]
			l.mu.Unlock()
			before(e.code, e.header)
			l.mu.Lock()
			continue
		}
		if st.head != nil {
			return st.head, nil
		}
		if st.err != nil {
			return nil, st.err
		}
		st.wake.Wait()
	}
}

func (k *Client) idle(id uint32) bool { return id%2 == 0 || id >= k.next }

// goneAway is told that the server takes no more streams.
func (k *Client) goneAway(f *http2.GoAwayFrame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.going = true
	for _, st := range k.streams {
		if st.id > f.LastStreamID {
			k.drop(st, errUnbegun)
		}
	}
	if len(k.streams) == 0 {
		k.quit(errOver)
	}
}

func (k *Client) settled(s http2.Setting) error {
	switch s.ID {
	case http2.SettingMaxConcurrentStreams:
		k.most = int(min(s.Val, maxStreams))
	case http2.SettingMaxHeaderListSize:
		k.list = s.Val
	case http2.SettingEnablePush:
		if s.Val != 0 {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
	default: // it is not about responses
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new([maxFrame]byte) }}
