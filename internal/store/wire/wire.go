// Package wire is how a launcher and ambit-store talk: messages of one length
// each, which hold fields in an order that both sides know.
//
// Strings are written as their bytes, since a path or an argument may be of any;
// JSON would change them.
//
// Invariants:
//
//   - A message is read whole and exactly: one that is cut off, too long, or has
//     anything left over is an error. Nothing is made up for what is missing.
//   - No length that was read is believed further than there are bytes for it.
//
// Layer: beneath store, on both sides. It knows nothing of stores.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// maxMessage bounds a message. The arguments of a process, of which a question
// keeps a copy, are 6 MiB at most (execve(2)).
const maxMessage = 16 << 20

// A Conn sends and receives messages. One goroutine may send while another one
// receives.
type Conn struct {
	*net.UnixConn
	in *bufio.Reader
}

// NewConn returns messages over c.
func NewConn(c *net.UnixConn) *Conn { return &Conn{c, bufio.NewReader(c)} }

// Send sends one message: its kind, and fields as Append writes them.
func (c *Conn) Send(kind byte, fields ...any) error {
	b := Append([]byte{0, 0, 0, 0, kind}, fields...)
	if len(b)-4 > maxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(b)-4)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err := c.Write(b)
	return err
}

// Receive returns the kind of the next message and its fields, for Read. The
// error is io.EOF where the other side has ended between two messages.
func (c *Conn) Receive() (kind byte, fields []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxMessage {
		return 0, nil, fmt.Errorf("a message of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return 0, nil, fmt.Errorf("a message was cut off: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return b[0], b[1:], nil
}
