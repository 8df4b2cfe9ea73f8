package request

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// replySize is how much of a response is held before it is written: a small one
// goes in one piece.
const replySize = 16 << 10

// A reply is an http.ResponseWriter for one response after another on a connection
// by HTTP/1.1. A body without a length goes in chunks.
type reply struct {
	w      *bufio.Writer
	header http.Header

	request *http.Request
	begun   bool  // the head is written
	empty   bool  // there is no body
	chunked bool  // it goes in chunks
	left    int64 // of its length
	trailer []string
}

var _ http.ResponseWriter = (*reply)(nil)

// begin makes it the response to r.
func (a *reply) begin(r *http.Request) {
	clear(a.header)
	*a = reply{w: a.w, header: a.header, request: r, trailer: a.trailer[:0]}
}

// Header returns what will be in the head, and after that in the trailer.
func (a *reply) Header() http.Header { return a.header }

// adopt takes a header for its own, but for what is about one connection, and returns
// it. What was in the own one before is forgotten.
func (a *reply) adopt(h http.Header) http.Header {
	leaveOut(h)
	a.header = h
	return h
}

// WriteHeader writes the head, or one that comes before it.
func (a *reply) WriteHeader(code int) {
	if a.begun {
		return
	}
	if code < 200 {
		a.status(code)
		_ = a.header.Write(a.w) // the next write says what is wrong
		_, _ = a.w.WriteString("\r\n")
		_ = a.w.Flush()
		return
	}
	a.begun = true
	h := a.header
	a.empty = a.request.Method == http.MethodHead || code == http.StatusNoContent || code == http.StatusNotModified
	length, err := strconv.ParseUint(h.Get("Content-Length"), 10, 63)
	switch {
	case code == http.StatusNoContent, err != nil:
		h.Del("Content-Length")
	default:
		a.left = int64(length)
	}
	a.chunked = !a.empty && h["Content-Length"] == nil
	for _, v := range h["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			a.trailer = append(a.trailer, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	if !a.chunked {
		h.Del("Trailer")
	}
	a.status(code)
	_ = h.Write(a.w) // the next write says what is wrong
	if a.chunked {
		_, _ = a.w.WriteString("Transfer-Encoding: chunked\r\n")
	}
	if a.request.Close {
		_, _ = a.w.WriteString("Connection: close\r\n")
	}
	_, _ = a.w.WriteString("\r\n")
}

func (a *reply) status(code int) {
	b := append(a.w.AvailableBuffer(), "HTTP/1.1 "...)
	b = append(strconv.AppendInt(b, int64(code), 10), ' ')
	b = append(append(b, http.StatusText(code)...), "\r\n"...)
	_, _ = a.w.Write(b) // the next write says what is wrong
}

// Write writes some of the body.
func (a *reply) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case a.empty:
		return 0, http.ErrBodyNotAllowed
	case len(p) == 0:
		return 0, nil
	case !a.chunked && int64(len(p)) > a.left:
		return 0, http.ErrContentLength
	case !a.chunked:
		a.left -= int64(len(p))
		return a.w.Write(p)
	}
	b := strconv.AppendInt(a.w.AvailableBuffer(), int64(len(p)), 16)
	if _, err := a.w.Write(append(b, "\r\n"...)); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	if err == nil {
		_, err = a.w.WriteString("\r\n")
	}
	return n, err
}

// FlushError writes what is held.
func (a *reply) FlushError() error { return a.w.Flush() }

// finish ends the response. An error means that it is not whole.
func (a *reply) finish() error {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if !a.empty && !a.chunked && a.left > 0 {
		_ = a.w.Flush() // it is not whole in any case
		return io.ErrUnexpectedEOF
	}
	if a.chunked {
		if err := a.last(); err != nil {
			return err
		}
	}
	return a.w.Flush()
}

// last writes the last chunk, and the trailer.
func (a *reply) last() error {
	if _, err := a.w.WriteString("0\r\n"); err != nil {
		return err
	}
	trailer := http.Header{}
	for _, name := range a.trailer {
		if v := a.header[name]; v != nil {
			trailer[name] = v
		}
	}
	for name, v := range a.header {
		if late, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			trailer[late] = v
		}
	}
	if err := trailer.Write(a.w); err != nil {
		return fmt.Errorf("write a trailer: %w", err)
	}
	_, err := a.w.WriteString("\r\n")
	return err
}
