package request

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// answer passes a response on. An error but errBroken means that nothing of it was.
func (x *exchange) answer(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return x.switched(ctx, resp)
	}
	defer resp.Body.Close()
	if events(resp) {
		if err := x.decide(ctx, true); err != nil {
			return err
		}
		if err := x.leads(ctx, true); err != nil {
			return err
		}
	}
	if x.scrub != nil {
		x.scrub.Header(resp.Trailer) // whose names are announced
		x.scrub.Header(resp.Header)
		resp.Body = x.scrub.Body(resp.Body)
	}
	x.head(resp)
	x.out.WriteHeader(resp.StatusCode)
	x.record.Status = resp.StatusCode
	err := x.body(resp)
	if x.scrub != nil {
		x.scrub.Header(resp.Trailer)
	}
	x.trailer(resp)
	if err != nil {
		x.record.Why = "the response broke off: " + x.scrubbed(err.Error())
		return errBroken
	}
	return nil
}

// events reports whether a response is a stream of events, which does not end by
// itself.
func events(resp *http.Response) bool {
	of := resp.Header.Get("Content-Type")
	if !strings.Contains(strings.ToLower(of), "event-stream") {
		return false // which most are not: taking it apart costs more than looking
	}
	kind, _, err := mime.ParseMediaType(of)
	return err == nil && kind == "text/event-stream"
}

// head writes the header of a response.
func (x *exchange) head(resp *http.Response) {
	h := x.out.Header()
	if x.plain != nil {
		h = x.plain.out.adopt(resp.Header)
	} else {
		copyWithout(h, resp.Header)
	}
	// It leads to QUIC, which is not opened, or to another host.
	h.Del("Alt-Svc")
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil // none, instead of a guess
		}
	}
	for name := range resp.Trailer {
		h.Add("Trailer", name)
	}
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// body passes the body on as it comes.
func (x *exchange) body(resp *http.Response) error {
	flush := func() error { return nil }
	if resp.ContentLength < 0 {
		flush = http.NewResponseController(x.out).Flush
		if err := flush(); err != nil {
			return err
		}
	}
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			x.received.Add(uint64(n))
			if _, werr := x.out.Write(buf[:n]); werr != nil {
				return werr
			}
			if werr := flush(); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// trailer writes what came after the body, whether it was announced or not.
func (x *exchange) trailer(resp *http.Response) {
	h := x.out.Header()
	announced := map[string]bool{}
	for _, v := range h["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			announced[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	for name, values := range resp.Trailer {
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
}

// switched carries a WebSocket: bytes both ways, until both sides have ended.
func (x *exchange) switched(ctx context.Context, resp *http.Response) error {
	server, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || !upgrades(x.in) || !token(resp.Header["Upgrade"], "websocket") {
		_ = resp.Body.Close() // it is of no use
		return &fault{status: http.StatusBadGateway, reason: Malformed, why: "the server goes on in a protocol that nobody asked for"}
	}
	defer server.Close()
	var from io.Reader = server
	if x.scrub != nil {
		x.scrub.Header(resp.Header)
		from = x.scrub.Body(server)
	}
	client, rest, err := http.NewResponseController(x.out).Hijack()
	if err != nil {
		return &fault{status: http.StatusBadGateway, reason: Malformed, why: err.Error()}
	}
	defer client.Close() //nolint:errcheck // it has ended
	x.record.Status = resp.StatusCode
	head := &http.Response{StatusCode: resp.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: without(resp.Header)}
	head.Header.Set("Connection", "Upgrade")
	head.Header.Set("Upgrade", "websocket")
	if err := head.Write(rest); err != nil {
		return nil //nolint:nilerr // the program is gone
	}
	if err := rest.Flush(); err != nil {
		return nil //nolint:nilerr // the program is gone
	}
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	var both sync.WaitGroup
	both.Go(func() {
		n, _ := io.Copy(server, rest) // either end may break off
		x.sent.Add(uint64(n))
		_ = server.Close()
	})
	n, _ := io.Copy(client, from)
	x.received.Add(uint64(n))
	_ = client.Close()
	both.Wait()
	return nil
}
