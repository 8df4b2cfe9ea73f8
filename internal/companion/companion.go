// Package companion is what the programs that lie beside ambit have in common:
// the line to the process that started them, the messages on it, and what they
// give up before they do anything.
//
// A companion is started by ambit (internal/companion/start), with one end of a
// socket as descriptor 3. It serves that line and nothing else, and ends when the
// line does: also when whoever started it is gone, however that came.
//
// Layer: beneath everything that such a program is made of. It links nothing
// that starts a program.
package companion

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Descriptor is that of the line, in a companion.
const Descriptor = 3

// A Conn carries messages: JSON, one a line, each bounded. Send may be called
// concurrently, Receive not.
type Conn struct {
	most int
	mu   sync.Mutex // orders writes
	out  io.Writer
	in   *bufio.Reader
}

// NewConn makes one of a stream. No message is longer than most, either way: a
// process that was taken over must not fill the other one.
func NewConn(s io.ReadWriter, most int) *Conn {
	return &Conn{most: most, out: s, in: bufio.NewReaderSize(s, most)}
}

// Line is a message as it is sent.
func Line(m any, most int) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	if len(text) >= most {
		return nil, errors.New("the message is too long")
	}
	return append(text, '\n'), nil
}

// Send writes one message.
func (c *Conn) Send(m any) error {
	line, err := Line(m, c.most)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.out.Write(line)
	return err
}

// Receive reads the next message into m. io.EOF says that there is none.
//
// Security: a field that m does not have is an error. What is wrong is said
// without a piece of the message, which may be a secret.
func (c *Conn) Receive(m any) error {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return fmt.Errorf("decode a message: %w", err)
	}
	return nil
}
