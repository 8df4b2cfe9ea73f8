package two

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
)

// headers is told of the head of a response, of one before it, or of what comes
// after its body.
func (k *Client) headers(f *http2.MetaHeadersFrame) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.idle(f.StreamID) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	st := k.streams[f.StreamID]
	switch {
	case st == nil:
		return nil // it was reset meanwhile
	case st.over:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeStreamClosed}
	case st.head != nil:
		return st.after(f)
	}
	code, h, err := readResponse(f)
	if err != nil {
		return err
	}
	if code < http.StatusOK {
		if f.StreamEnded() || code == http.StatusSwitchingProtocols {
			return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol}
		}
		if len(st.early) >= maxEarly {
			return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeEnhanceYourCalm}
		}
		st.early = append(st.early, early{code, h})
		st.wake.Broadcast()
		return nil
	}
	return st.headed(code, h, f.StreamEnded())
}

// headed is told of the head of its response.
func (st *stream) headed(code int, h http.Header, ended bool) error {
	length, declared, ok := lengthOf(h)
	if !ok {
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol, Cause: errLength}
	}
	resp := &http.Response{StatusCode: code, Proto: "HTTP/2.0", ProtoMajor: 2, Header: h, ContentLength: -1, Trailer: announced(h)}
	if declared {
		resp.ContentLength = length
	}
	if none := st.from.Method == http.MethodHead || code == http.StatusNoContent || code == http.StatusNotModified; none {
		st.declared = 0
	} else if declared {
		st.declared = length
	}
	st.head = resp
	st.wake.Broadcast()
	if !ended {
		return nil
	}
	if st.declared <= 0 {
		resp.Body = http.NoBody
		if !declared {
			resp.ContentLength = 0
		}
	}
	return st.complete()
}

// after is told what comes after the body of a response.
func (st *stream) after(f *http2.MetaHeadersFrame) error {
	if !f.StreamEnded() || len(f.PseudoFields()) > 0 || f.Truncated {
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol}
	}
	st.trailer = http.Header{}
	for _, field := range f.RegularFields() {
		if name := http.CanonicalHeaderKey(field.Name); trails(name) {
			st.trailer[name] = append(st.trailer[name], field.Value)
		}
	}
	return st.complete()
}

// readResponse understands the head of a response.
func readResponse(f *http2.MetaHeadersFrame) (code int, h http.Header, err error) {
	malformed := func(why string) (int, http.Header, error) {
		return 0, nil, http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol, Cause: errors.New(why)}
	}
	if f.Truncated {
		return malformed("the head of the server's response is too long")
	}
	status := f.PseudoValue("status")
	code, err = strconv.Atoi(status)
	if err != nil || len(status) != 3 || code < 100 {
		return malformed("the server's response has no status")
	}
	h = make(http.Header, len(f.RegularFields()))
	for _, field := range f.RegularFields() {
		name := http.CanonicalHeaderKey(field.Name)
		h[name] = append(h[name], field.Value)
	}
	return code, h, nil
}

// responseBody is the body of a response.
type responseBody struct {
	st   *stream
	of   *http.Response
	stop func() bool
}

// Read takes some of the body.
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.st.read(p)
	if err == io.EOF && len(b.st.trailer) > 0 { //nolint:errorlint // it is said in no other way
		if b.of.Trailer == nil {
			b.of.Trailer = http.Header{}
		}
		maps.Copy(b.of.Trailer, b.st.trailer)
	}
	return n, err
}

// Close leaves the rest.
func (b *responseBody) Close() error {
	b.stop()
	l := b.st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	b.st.abandon(http2.ErrCodeCancel)
	return nil
}
