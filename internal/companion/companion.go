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
	"time"
)

// Descriptor is that of the line, in a companion.
const Descriptor = 3

// A Conn carries messages: JSON, one a line, each bounded. Send may be called
// concurrently, Receive not.
type Conn struct {
	most int
	in   *bufio.Reader

	mu   sync.Mutex  // orders writes
	out  io.Writer   // guarded by mu
	held []byte      // guarded by mu; goes before what is sent next
	soon *time.Timer // guarded by mu; nil until something was held
}

// How long a message waits that need not be there at once, and how much of them.
const (
	pause   = 10 * time.Millisecond
	maxHeld = 32 << 10
)

// NewConn makes one of a stream. No message is longer than most, either way: a
// process that was taken over must not fill the other one.
func NewConn(s io.ReadWriter, most int) *Conn {
	return &Conn{most: most, out: s, in: bufio.NewReaderSize(s, most)}
}

// Brief is a message of which some have a shorter form than JSON, for what is said
// often. It begins with no brace and has no line break.
type Brief interface {
	AppendBrief(b []byte) (longer []byte, ok bool) // not ok: it goes as JSON
}

// Briefly reads what AppendBrief has written.
type Briefly interface {
	ParseBrief(line []byte) error
}

// Line is a message as it is sent.
func Line(m any, most int) ([]byte, error) { return appendLine(nil, m, most) }

// appendLine appends a message. On an error b is as it was.
func appendLine(b []byte, m any, most int) ([]byte, error) {
	longer, ok := b, false
	if brief, is := m.(Brief); is {
		longer, ok = brief.AppendBrief(b)
	}
	if !ok {
		text, err := json.Marshal(m)
		if err != nil {
			return b, fmt.Errorf("encode a message: %w", err)
		}
		longer = append(b, text...)
	}
	if len(longer)-len(b) >= most {
		return b, errors.New("the message is too long")
	}
	return append(longer, '\n'), nil
}

// Send writes one message.
func (c *Conn) Send(m any) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held, err = appendLine(c.held, m, c.most); err != nil {
		return err
	}
	return c.flush()
}

// Later sends one message soon, before any that is sent later: it spares the other
// side to wake up for each.
func (c *Conn) Later(m any) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.held) == 0
	if c.held, err = appendLine(c.held, m, c.most); err != nil {
		return err
	}
	if first {
		if c.soon == nil {
			c.soon = time.AfterFunc(pause, func() { _ = c.Flush() }) // the next one hears of an error too
		} else {
			c.soon.Reset(pause)
		}
	}
	if len(c.held) < maxHeld {
		return nil
	}
	return c.flush()
}

// Flush sends what waits.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush()
}

// flush writes what is held. The mutex is held.
//
// Security: what was sent does not stay: it may have a secret.
func (c *Conn) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.out.Write(c.held)
	clear(c.held)
	c.held = c.held[:0]
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
	if b, ok := m.(Briefly); ok && line[0] != '{' {
		return b.ParseBrief(line[:len(line)-1])
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if d.Decode(m) != nil {
		return errors.New("it said something that is not understood")
	}
	return nil
}
