package request

import (
	"bufio"
	"crypto/tls"
	"net"
	"syscall"
)

// recordHead is how long the head of a record of TLS is (RFC 8446, section 5.1).
const recordHead = 5

// records is the connection beneath TLS to a server. It hands out one record after
// the other: TLS of itself reads on, into what it shows nobody, so that what a server
// says beyond its answer would be there unseen.
type records struct {
	net.Conn
	in   *bufio.Reader
	left int // of the record that is being read
}

func newRecords(c net.Conn) *records { return &records{Conn: c, in: bufio.NewReaderSize(c, 4096)} }

// Read returns some of a record.
func (c *records) Read(p []byte) (int, error) {
	if c.left == 0 {
		head, err := c.in.Peek(recordHead)
		if err != nil {
			return 0, err
		}
		c.left = recordHead + int(head[3])<<8 + int(head[4])
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// quiet reports whether a connection to a server lives, and nothing has come by it
// that was not read from it. It has to be looked at from one goroutine only, as it is
// read from.
//
// Security: what a server says while nobody asks must not be taken for the answer to
// the next request.
func quiet(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		r, ok := t.NetConn().(*records)
		if !ok || r.left > 0 || r.in.Buffered() > 0 {
			return false
		}
		c = r.Conn
	}
	raw, ok := c.(syscall.Conn)
	return ok && silent(raw)
}
