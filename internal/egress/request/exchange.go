package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ambit.dev/ambit/internal/egress/request/two"
)

// An exchange is one request and its response.
type exchange struct {
	conn   *conn
	in     *http.Request
	out    http.ResponseWriter
	record Record
	path   string // as it is sent, without its query
	plain  *talk  // that the request is plain in; nil: net/http's server has read it
	bare   bool   // its header can be sent as it is

	received, sent atomic.Uint64 // bytes of bodies: to the program, from it
	release        []func()
	scrub          Scrubber // of the response; nil: there is nothing to do

	early    sync.Mutex // orders responses before the one that counts
	answered bool       // that one is there; guarded by early
}

// serveTwo answers the requests of a program that speaks HTTP/2.
func (s *conn) serveTwo(c net.Conn) {
	two.Serve(s.ctx, c, maxHeader, idleTime, s.engine.hands.Do, func(w *two.Reply, r *http.Request) bool {
		x := &exchange{conn: s, in: r, out: w, record: Record{Method: short(r.Method), Begun: time.Now()}}
		return x.do(r.Context())
	})
}

// serve answers one request of a program by HTTP/1.1.
func serve(w http.ResponseWriter, r *http.Request) {
	s, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		return
	}
	s.requests.Add(1)
	defer s.requests.Done()
	x := &exchange{conn: s, in: r, out: w, record: Record{Method: short(r.Method), Begun: time.Now()}}
	// The end of the connection is the end of what it asked for, whatever the
	// server of requests makes of it.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if !x.do(ctx) {
		panic(http.ErrAbortHandler) // so that the program sees that it is not whole
	}
}

// errBroken is that the response broke off after it had begun.
var errBroken = errors.New("the response broke off")

// do has a request decided, made and answered, and reports whether the answer is
// whole.
func (x *exchange) do(ctx context.Context) (whole bool) {
	defer x.end()
	err := x.run(ctx)
	if errors.Is(err, errBroken) {
		return false
	}
	if err != nil {
		x.refuse(faultOf(err))
	}
	return true
}

// maxTold bounds each text of a record and of a refusal. Programs choose them.
const maxTold = 2048

func short(text string) string {
	if len(text) > maxTold {
		return text[:maxTold] + "…"
	}
	return text
}

// end tells of the exchange.
func (x *exchange) end() {
	for _, f := range x.release {
		f()
	}
	x.record.In, x.record.Out, x.record.Ended = x.received.Load(), x.sent.Load(), time.Now()
	x.conn.flow.Told(x.record)
	x.conn.far.ended()
}

// run has a request decided and makes it. An error but errBroken means that nothing
// was answered yet.
func (x *exchange) run(ctx context.Context) error {
	upgrade := upgrades(x.in)
	if err := x.check(); err != nil {
		return err
	}
	r, err := x.write(ctx, upgrade)
	if err != nil {
		return err
	}
	x.path = r.URL.EscapedPath()
	x.record.Path = short(x.path)
	if err := x.decide(ctx, upgrade); err != nil {
		return err
	}
	d, err := x.conn.connect(ctx, x.plain != nil && repeatable(r))
	if err != nil {
		return err
	}
	if err := x.leads(ctx, upgrade); err != nil {
		return err
	}
	if f := x.conn.engine.cfg.Filler; f != nil {
		if x.scrub, err = f.Fill(ctx, d, r); err != nil {
			return refused(err)
		}
	}
	resp, err := x.send(ctx, r)
	x.final()
	if err != nil {
		f := faultOf(err)
		f.why = x.scrubbed(f.why) // a server's answer that was not understood is in it
		return f
	}
	return x.answer(ctx, resp)
}

// send sends a request by the connection that belongs to its program's.
func (x *exchange) send(ctx context.Context, r *http.Request) (*http.Response, error) {
	switch {
	case x.plain != nil:
		return x.plain.send(r, x.scrub != nil, x.before)
	case x.in.ProtoMajor == 2:
		return x.conn.sendTwo(ctx, r, x.scrub != nil, x.before)
	default:
		return x.conn.send(r, x.before)
	}
}

// scrubbed is a text without what must not be seen.
func (x *exchange) scrubbed(text string) string {
	if x.scrub == nil {
		return text
	}
	h := http.Header{"Text": {text}}
	x.scrub.Header(h)
	return h.Get("Text")
}

// refused is how an error of a Filler is answered.
func refused(err error) *fault {
	if r, ok := errors.AsType[*Refused](err); ok {
		return &fault{status: http.StatusForbidden, reason: r.Reason, why: r.Words}
	}
	return &fault{status: http.StatusForbidden, reason: NotGranted, why: "a secret could not be put in"}
}

// check refuses what is never passed on, and requests for another host.
func (x *exchange) check() error {
	r, to := x.in, x.conn.to
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return &fault{status: http.StatusMethodNotAllowed, reason: Malformed, why: r.Method + " is never passed on"}
	}
	if r.URL.Scheme != "" && r.URL.Scheme != to.Scheme {
		return &fault{status: http.StatusMisdirectedRequest, reason: Host, why: "it asks for " + r.URL.Scheme}
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return &fault{status: http.StatusBadRequest, reason: Malformed, why: "it names no host"}
	}
	if seen := x.conn.named.Load(); r.Host == "" || seen != nil && *seen == r.Host {
		return nil
	}
	if err := to.is(r.Host); err != nil {
		return &fault{status: http.StatusMisdirectedRequest, reason: Host,
			why: fmt.Sprintf("this connection is for %s; %v", x.conn.authority, err)}
	}
	host := strings.Clone(r.Host)
	x.conn.named.Store(&host)
	return nil
}

// write makes the request that will be sent.
//
// Security: nothing of what the program sent is passed on as bytes. Method, host,
// path, headers and the body's length were understood and are written in one form,
// so that a server takes for one request what was decided as one.
func (x *exchange) write(ctx context.Context, upgrade bool) (*http.Request, error) {
	in := x.in
	if in.URL.Opaque != "" || !strings.HasPrefix(in.URL.Path, "/") || in.URL.User != nil || in.URL.Fragment != "" {
		return nil, &fault{status: http.StatusBadRequest, reason: Malformed, why: "it asks for no path"}
	}
	to := x.conn.to
	r := &http.Request{
		Method: in.Method, Host: x.conn.authority,
		URL:    &url.URL{Scheme: to.Scheme, Host: x.conn.authority, Path: in.URL.Path, RawPath: in.URL.RawPath, RawQuery: query(in.URL.RawQuery), ForceQuery: in.URL.ForceQuery},
		Header: in.Header, ContentLength: in.ContentLength, Trailer: in.Trailer,
	}
	if !x.bare {
		r.Header = without(in.Header)
	}
	if in.ContentLength != 0 && in.Body != nil {
		r.Body = &counted{ReadCloser: in.Body, n: &x.sent, begin: sync.OnceFunc(x.goOn)}
	} else {
		r.Body = http.NoBody
	}
	if token(in.Header["Te"], "trailers") {
		r.Header.Set("Te", "trailers")
	}
	if upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header.Set("User-Agent", "") // none, instead of Go's
	}
	if x.plain != nil {
		return r, nil // which ends with its connections: nobody asks for its context
	}
	if in.ProtoMajor == 1 {
		_ = http.NewResponseController(x.out).EnableFullDuplex() // where it cannot, a response waits for the request
	}
	return r.WithContext(ctx), nil
}

// query writes a query so that no reader takes its end for the end of the request
// line: HTTP/2 carries spaces in it.
func query(raw string) string {
	odd := func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '#' }
	if !slices.ContainsFunc([]byte(raw), odd) {
		return raw
	}
	var b strings.Builder
	for _, c := range []byte(raw) {
		if odd(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// before passes a response on that comes before the one that counts.
func (x *exchange) before(code int, header http.Header) {
	x.early.Lock()
	defer x.early.Unlock()
	if x.answered {
		return
	}
	h := x.out.Header()
	copyWithout(h, header)
	if x.scrub != nil {
		x.scrub.Header(h)
	}
	x.out.WriteHeader(code)
	clear(h)
}

// final ends what comes before the response that counts.
func (x *exchange) final() {
	x.early.Lock()
	defer x.early.Unlock()
	x.answered = true
}

// decide has the request decided.
func (x *exchange) decide(ctx context.Context, stream bool) error {
	a := x.conn.flow.Decide(ctx, x.ask(stream))
	x.record.Decision = a.Decision
	if a.Use != 0 {
		x.record.Uses = append(x.record.Uses, Use{a.Use, stream})
	}
	if a.Release != nil {
		x.release = append(x.release, a.Release)
	}
	if a.Allowed {
		return nil
	}
	return denied(a)
}

// leads has the request decided by where it goes, once that is known.
func (x *exchange) leads(ctx context.Context, stream bool) error {
	a := x.conn.flow.Leads(ctx, x.ask(stream))
	if a.Allowed {
		return nil
	}
	x.record.Decision = cmp.Or(a.Decision, x.record.Decision)
	return denied(a)
}

func (x *exchange) ask(stream bool) Ask {
	return Ask{Method: x.in.Method, Path: x.path, Stream: stream}
}

// denied is how an answer that is no is answered.
func denied(a Answer) *fault {
	f := &fault{status: http.StatusForbidden, reason: a.Reason, why: a.Why, answer: a}
	if f.reason == "" {
		f.reason = NotGranted
	}
	return f
}

// goOn tells a program that waits for it to send its body. The server of requests
// does so by itself at the first read, which another response before the one that
// counts must not meet.
func (x *exchange) goOn() {
	x.early.Lock()
	defer x.early.Unlock()
	if x.in.ProtoMajor == 1 && !x.answered && token(x.in.Header["Expect"], "100-continue") {
		x.out.WriteHeader(http.StatusContinue)
	}
}

// counted counts what is read of a body.
type counted struct {
	io.ReadCloser
	n     *atomic.Uint64
	begin func()
}

func (c *counted) Read(p []byte) (int, error) {
	c.begin()
	n, err := c.ReadCloser.Read(p)
	c.n.Add(uint64(n))
	return n, err
}
