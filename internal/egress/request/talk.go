package request

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// A talk is a connection by HTTP/1.1 whose requests are plain: each is read,
// decided, sent and answered by one goroutine, which is most of what is to be spared
// where many small requests come. The first that is not plain ends the talk, and
// net/http's server goes on with the connection.
type talk struct {
	conn  *conn
	c     net.Conn // what the program speaks by: TLS, or the connection itself
	in    *bufio.Reader
	out   reply
	far   *straight // to the server; nil: none yet
	head  int       // how long that of the next request is
	watch watch
}

// converse serves plain requests until something else comes, and returns the
// connection as it is to be served then; nil: it is over.
func (s *conn) converse(c net.Conn) net.Conn {
	t := &talk{conn: s, c: c, in: bufio.NewReaderSize(c, plainHead), out: reply{w: bufio.NewWriterSize(c, replySize), header: http.Header{}}}
	t.watch.begin(t)
	defer t.watch.end()
	for {
		switch t.next() {
		case other:
			return t.handOver()
		case more:
			t.leave()
			return nil
		case plain:
		}
		if !t.serve() {
			t.leave()
			return nil
		}
	}
}

// next waits for a request, and looks at it. more says that none comes.
func (t *talk) next() look {
	t.watch.turn(idle)
	for n := 1; n <= plainHead; n = t.in.Buffered() + 1 {
		if _, err := t.in.Peek(n); err != nil && t.in.Buffered() == 0 {
			return more
		} else if err != nil {
			return other // it breaks off
		}
		text, err := t.in.Peek(t.in.Buffered())
		if err != nil {
			return other
		}
		l, size := examine(text)
		if l != more {
			t.head = size
			return l
		}
		if n == 1 {
			t.watch.turn(heading)
		}
	}
	return other
}

// read reads the request that was looked at. bare is that its header has nothing about
// the connection.
func (t *talk) read() (r *http.Request, bare bool, err error) {
	head, err := t.in.Peek(t.head)
	if err != nil {
		return nil, false, err
	}
	if r = readPlain(head); r == nil {
		r, err = http.ReadRequest(t.in)
		return r, false, err
	}
	_, err = t.in.Discard(t.head)
	return r, true, err
}

// serve serves one plain request, and reports whether another may follow.
func (t *talk) serve() (again bool) {
	r, bare, err := t.read()
	if err != nil {
		return false // examine has seen to it that there is none
	}
	if r.Body == http.NoBody {
		t.watch.turn(busy)
	} else {
		t.watch.turn(reading)
	}
	t.out.begin(r)
	x := &exchange{conn: t.conn, in: r, out: &t.out, plain: t, bare: bare, record: Record{Method: short(r.Method), Begun: time.Now()}}
	whole := x.do(t.conn.ctx)
	if whole {
		err = t.out.finish()
	} else {
		err = t.out.FlushError()
	}
	t.watch.quiet()
	if !whole || err != nil {
		return false
	}
	return r.Body.Close() == nil && !r.Close // it reads what is left: who closes with that unread resets
}

// leave ends the connection. That to the server may be of use to a later one.
func (t *talk) leave() {
	if f := t.far; f != nil && !f.known && f.usable() && f.unhook() && !t.conn.engine.shelf.put(t.conn.turn, t.conn.to, f.Conn) {
		_ = f.Conn.Close() // no request uses it
	}
	_ = t.c.Close() // it may be closed
}

// handOver gives the connection to net/http's server, and to its transport that to
// the server, if there is one that is not in use.
func (t *talk) handOver() net.Conn {
	if f := t.far; f != nil {
		t.far = nil
		if !f.usable() || !t.conn.up.give(f.Conn, true) {
			_ = f.Close() // no request uses it
		}
	}
	return &handed{Conn: t.c, in: t.in, of: t.conn}
}

// handed is a connection of which some was read.
type handed struct {
	net.Conn
	in *bufio.Reader
	of *conn
}

func (h *handed) Read(p []byte) (int, error) { return h.in.Read(p) }
