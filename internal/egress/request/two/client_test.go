package two_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"ambit.dev/ambit/internal/egress/request/two"
)

// ask is a request.
func ask(method, path, text string) *http.Request {
	r := &http.Request{Method: method, Host: "far.test", URL: &url.URL{Scheme: "https", Host: "far.test", Path: path}, Header: http.Header{}, Body: http.NoBody}
	if text != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	return r
}

func ignore(int, http.Header) {}

// exchanged sends a request that the server answers by say, and returns the answer.
func exchanged(t *testing.T, k *two.Client, p *peer, r *http.Request, say func(id uint32)) (string, *http.Response, error) {
	t.Helper()
	if !k.Reserve() {
		t.Fatal("there is no room")
	}
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := k.Send(t.Context(), r, false, ignore)
		done <- result{resp, err}
	}()
	f := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders })
	say(f.Header().StreamID)
	got := <-done
	if got.err != nil {
		return "", nil, got.err
	}
	defer got.resp.Body.Close()
	b, err := io.ReadAll(got.resp.Body)
	return string(b), got.resp, err
}

// TestBreaksOff: a response that is not whole, or malformed, is not whole to its
// reader, whatever it breaks off by.
func TestBreaksOff(t *testing.T) {
	whole := func(p *peer, id uint32, fields ...string) {
		p.head(id, false, append([]string{":status", "200"}, fields...)...)
		p.must(p.WriteData(id, false, []byte("part")))
	}
	for name, say := range map[string]func(p *peer, id uint32){
		"the connection ends":  func(p *peer, id uint32) { whole(p, id); _ = p.c.Close() },
		"a reset":              func(p *peer, id uint32) { whole(p, id); p.must(p.WriteRSTStream(id, http2.ErrCodeNo)) },
		"shorter":              func(p *peer, id uint32) { whole(p, id, "content-length", "9"); p.must(p.WriteData(id, true, nil)) },
		"longer":               func(p *peer, id uint32) { whole(p, id, "content-length", "2"); p.must(p.WriteData(id, true, nil)) },
		"a length and nothing": func(p *peer, id uint32) { p.head(id, true, ":status", "200", "content-length", "9") },
		"two lengths":          func(p *peer, id uint32) { whole(p, id, "content-length", "4", "content-length", "5") },
		"no status":            func(p *peer, id uint32) { p.head(id, true, "x", "y") },
		"a long status":        func(p *peer, id uint32) { p.head(id, true, ":status", "0200") },
		"a path":               func(p *peer, id uint32) { p.head(id, true, ":status", "200", ":path", "/") },
		"a switch":             func(p *peer, id uint32) { p.head(id, false, ":status", "101") },
		"an early end":         func(p *peer, id uint32) { p.head(id, true, ":status", "103") },
		"data first":           func(p *peer, id uint32) { p.must(p.WriteData(id, true, []byte("x"))) },
		"a trailer's path":     func(p *peer, id uint32) { whole(p, id); p.head(id, true, ":path", "/") },
		"a promise": func(p *peer, id uint32) {
			whole(p, id)
			p.must(p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, EndHeaders: true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, p := dialled(t)
			if got, _, err := exchanged(t, k, p, ask("GET", "/", ""), func(id uint32) { say(p, id) }); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%q was whole: %v", got, err)
			}
		})
	}
}

// TestWhole: what a server says is what is heard, of bodies, trailers and none.
func TestWhole(t *testing.T) {
	k, p := dialled(t, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	got, resp, err := exchanged(t, k, p, ask("GET", "/", ""), func(id uint32) {
		p.head(id, false, ":status", "103", "link", "x")
		p.head(id, false, ":status", "200", "a", "1", "a", "2", "trailer", "b")
		p.must(p.WriteData(id, false, []byte("text")))
		p.head(id, true, "b", "3", "c", "4", "content-length", "9")
	})
	if err != nil || got != "text" || strings.Join(resp.Header["A"], " ") != "1 2" || resp.Trailer.Get("B") != "3" || resp.Trailer.Get("C") != "4" || resp.Trailer["Content-Length"] != nil {
		t.Errorf("%q, %+v, %v", got, resp, err)
	}
	got, resp, err = exchanged(t, k, p, ask("HEAD", "/", ""), func(id uint32) { p.head(id, true, ":status", "200", "content-length", "9") })
	if err != nil || got != "" || resp.ContentLength != 9 {
		t.Errorf("%q, %+v, %v", got, resp, err)
	}
	got, resp, err = exchanged(t, k, p, ask("POST", "/", "body"), func(id uint32) {
		f := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameData })
		p.head(id, true, ":status", "204", "x-got", string(f.(*http2.DataFrame).Data()))
	})
	if err != nil || got != "" || resp.Header.Get("X-Got") != "body" {
		t.Errorf("%q, %+v, %v", got, resp, err)
	}
	if !k.Reserve() || k.Reserve() {
		t.Error("there is room for more than the server wants, or for none")
	}
}

// TestGoAway: what a server has not looked at can be sent again, and what it may have
// looked at cannot.
func TestGoAway(t *testing.T) {
	for last, again := range map[uint32]bool{0: true, 1: false} {
		k, p := dialled(t)
		_, _, err := exchanged(t, k, p, ask("GET", "/", ""), func(uint32) {
			p.must(p.WriteGoAway(last, http2.ErrCodeNo, nil))
			_ = p.c.Close()
		})
		if err == nil || two.Unbegun(err) != again {
			t.Errorf("after %d: %v", last, err)
		}
		if k.Reserve() {
			t.Error("it takes another")
		}
	}
	k, p := dialled(t) // a server that goes away is left when it has answered
	if _, _, err := exchanged(t, k, p, ask("GET", "/", ""), func(id uint32) {
		p.must(p.WriteGoAway(id, http2.ErrCodeNo, nil))
		p.head(id, true, ":status", "200")
	}); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(time.Minute); !k.Ended(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it keeps a connection that takes no more requests")
		}
	}
	k, p = dialled(t)
	if _, _, err := exchanged(t, k, p, ask("GET", "/", ""), func(id uint32) { p.must(p.WriteRSTStream(id, http2.ErrCodeRefusedStream)) }); !two.Unbegun(err) {
		t.Error(err)
	}
}

// TestLeft: who wants an answer no more has it reset, and hears why.
func TestLeft(t *testing.T) {
	k, p := dialled(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	if !k.Reserve() {
		t.Fatal("there is no room")
	}
	done := make(chan error, 1)
	go func() {
		_, err := k.Send(ctx, ask("GET", "/", ""), false, ignore)
		done <- err
	}()
	p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders })
	gone := errors.New("gone")
	cancel(gone)
	p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameRSTStream })
	if err := <-done; !errors.Is(err, gone) {
		t.Error(err)
	}
}

// TestSecretIsNotKept: a header with a secret in it is one that nobody keeps.
func TestSecretIsNotKept(t *testing.T) {
	for _, secret := range []bool{true, false} {
		k, p := dialled(t)
		r := ask("GET", "/", "")
		r.Header.Set("Authorization", "Bearer value")
		if !k.Reserve() {
			t.Fatal("there is no room")
		}
		go func() { _, _ = k.Send(t.Context(), r, secret, ignore) }()
		f := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders }).(*http2.MetaHeadersFrame)
		for _, field := range f.RegularFields() {
			if field.Name == "authorization" && field.Sensitive != secret {
				t.Errorf("%+v", field)
			}
		}
		k.Close()
	}
}

// TestGrows: a server may send more and more of a response that is taken as it comes,
// up to a bound.
func TestGrows(t *testing.T) {
	const part, first, most, all = 16 << 10, 256 << 10, 4 << 20, 32 << 20
	k, p := dialled(t)
	top := first
	got, _, err := exchanged(t, k, p, ask("GET", "/", ""), func(id uint32) {
		p.head(id, false, ":status", "200")
		go func() {
			may := first
			for sent := 0; sent < all; {
				for ; may >= part && sent < all; may, sent = may-part, sent+part {
					if p.WriteData(id, false, make([]byte, part)) != nil {
						return
					}
				}
				if sent == all {
					break
				}
				f, err := p.ReadFrame()
				if err != nil {
					return
				}
				if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == id {
					may += int(w.Increment)
					top = max(top, may)
				}
			}
			_ = p.WriteData(id, true, nil)
		}()
	})
	if err != nil || len(got) != all || top <= first || top > most {
		t.Errorf("%d bytes, %v; a window of %d", len(got), err, top)
	}
}

// TestNotTaken: of a response that nobody takes a server may send no more than at
// first.
func TestNotTaken(t *testing.T) {
	k, p := dialled(t)
	if !k.Reserve() {
		t.Fatal("there is no room")
	}
	go func() { _, _ = k.Send(t.Context(), ask("GET", "/", ""), false, ignore) }()
	id := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders }).Header().StreamID
	p.head(id, false, ":status", "200")
	for range 256 / 16 {
		p.must(p.WriteData(id, false, make([]byte, 16<<10)))
	}
	p.must(p.WriteData(id, false, []byte("x")))
	f := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameRSTStream })
	if code := f.(*http2.RSTStreamFrame).ErrCode; code != http2.ErrCodeFlowControl {
		t.Error(code)
	}
}
