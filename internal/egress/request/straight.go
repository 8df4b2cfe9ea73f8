package request

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// A straight is the connection to the server of a talk: one request after the
// other, and each response to its end before the next.
type straight struct {
	net.Conn // TLS, or the connection itself
	in       *bufio.Reader
	out      *bufio.Writer
	room     int64 // for the rest of a head
	busy     bool  // a request was begun whose response has not ended well
	cut      bool  // the last read may have left something of a record
	known    bool  // somebody may be known by it, or a request's end be seen elsewhere
	unhook   func() bool
}

// Close ends the connection.
func (f *straight) Close() error {
	f.unhook()
	return f.Conn.Close()
}

// errLongHead is what a server hears nothing of: its response's head has no end.
var errLongHead = errors.New("the head of the server's response is too long")

// straighten makes one of a connection, which ends with ctx.
func straighten(ctx context.Context, c net.Conn) *straight {
	f := &straight{Conn: c}
	f.in, f.out = bufio.NewReaderSize(f, 16<<10), bufio.NewWriterSize(c, 16<<10)
	f.unhook = context.AfterFunc(ctx, func() { _ = c.Close() })
	return f
}

// Read reads from the server, of a head no more than there is room for.
func (f *straight) Read(p []byte) (int, error) {
	if f.room <= 0 {
		return 0, errLongHead
	}
	p = p[:min(int64(len(p)), f.room)]
	n, err := f.Conn.Read(p)
	f.room -= int64(n)
	f.cut = n == len(p)
	return n, err
}

// usable reports whether the next request can go by it.
//
// Security: a server that has said anything since its last response has ended is
// not understood: what it says must not be taken for the answer to the next request.
func (f *straight) usable() bool {
	return !f.busy && f.in.Buffered() == 0 && !f.holds() && quiet(f.Conn)
}

// holds reports whether TLS has more of a record than was read from it.
func (f *straight) holds() bool {
	t, ok := f.Conn.(*tls.Conn)
	if !ok || !f.cut {
		return false
	}
	_ = t.SetReadDeadline(time.Unix(1, 0)) // so that nothing else is waited for
	n, err := t.Read(make([]byte, 1))
	_ = t.SetReadDeadline(time.Time{})
	return n > 0 || !errors.Is(err, os.ErrDeadlineExceeded)
}

// send sends a request to the server and returns the head of its response. secret is
// that it has one in it.
func (t *talk) send(r *http.Request, secret bool, before func(code int, h http.Header)) (*http.Response, error) {
	for {
		fresh, err := t.reach()
		if err != nil {
			return nil, err
		}
		f := t.far
		f.known = f.known || secret
		err = f.say(r)
		t.watch.turn(busy)
		if err == nil {
			var resp *http.Response
			if resp, err = f.hear(r, before); err == nil {
				return resp, nil
			}
		}
		_ = f.Close() // nothing is expected from it any more
		t.far = nil
		if fresh || !repeatable(r) || !errors.Is(err, errUnanswered) || t.conn.ctx.Err() != nil {
			return nil, err
		}
	}
}

// reach sees to it that there is a connection to the server, and reports whether it
// is new.
func (t *talk) reach() (fresh bool, err error) {
	if t.far != nil {
		if t.far.usable() {
			return false, nil
		}
		_ = t.far.Close() // no request uses it
		t.far = nil
	}
	if c, used := t.conn.up.take(); c != nil {
		t.far = straighten(t.conn.ctx, c)
		return !used, nil
	}
	c, _, err := t.conn.dial(t.conn.ctx, false)
	if err != nil {
		return true, err
	}
	t.far = straighten(t.conn.ctx, c)
	return true, nil
}

// errUnanswered is an error before the first byte of a response.
var errUnanswered = errors.New("the server ended the connection and said nothing")

// say sends a request.
func (f *straight) say(r *http.Request) error {
	f.busy, f.room, f.known = true, 4*maxHeader, f.known || shows(r)
	err := f.write(r)
	if err == nil {
		err = f.out.Flush()
	}
	if err != nil {
		return errors.Join(errUnanswered, err)
	}
	return nil
}

// write writes a request: as net/http does, and one that has only a head in fewer steps.
func (f *straight) write(r *http.Request) error {
	target := r.URL.RequestURI()
	if !isBare(r) || strings.ContainsFunc(target, isControl) {
		return r.Write(f.out) // which refuses what has no form
	}
	b := append(append(f.out.AvailableBuffer(), r.Method...), ' ')
	b = append(append(append(b, target...), " HTTP/1.1\r\nHost: "...), r.Host...)
	_, _ = f.out.Write(append(b, "\r\n"...)) // the last write says what is wrong
	skip := written
	if r.Header.Get("User-Agent") == "" {
		skip = writtenUnnamed
	}
	_ = r.Header.WriteSubset(f.out, skip)
	_, err := f.out.WriteString("\r\n")
	return err
}

// What of a header is not written with it: what net/http writes by itself.
var (
	written        = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}
	writtenUnnamed = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "User-Agent": true}
)

func isControl(r rune) bool { return r <= ' ' || r == 0x7f }

// hear returns the head of the response.
func (f *straight) hear(r *http.Request, before func(code int, h http.Header)) (*http.Response, error) {
	if _, err := f.in.Peek(1); err != nil {
		return nil, errors.Join(errUnanswered, err)
	}
	for {
		resp, err := http.ReadResponse(f.in, r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			before(resp.StatusCode, resp.Header)
			continue
		}
		f.room, f.known = 1<<63-1, f.known || asksWho(resp)
		b := &farBody{ReadCloser: resp.Body, far: f, last: resp.Close || resp.StatusCode == http.StatusSwitchingProtocols}
		if resp.Body == http.NoBody {
			b.ended()
		}
		resp.Body = b
		return resp, nil
	}
}

// farBody is the body of a response. Closed before its end it ends the connection:
// nobody waits for the rest.
type farBody struct {
	io.ReadCloser
	far  *straight
	last bool // nothing follows it
	over bool
}

func (b *farBody) ended() { b.over, b.far.busy = true, b.last }

// Read returns some of the body.
func (b *farBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended()
	}
	return n, err
}

// Close ends the connection, unless the body has ended and another may follow.
func (b *farBody) Close() error {
	if b.over && !b.last {
		return nil
	}
	return b.far.Close()
}
