// Package channel is what the launcher and the guest of a machine say to each
// other: streams over the machine's one port, messages and files on them.
//
// The launcher opens every stream and asks; the guest answers, and on one stream it asks
// (Question). The launcher trusts
// nothing that comes out of a guest: each message has a bound and a fixed type,
// each file a checked name, and a stream that breaks a rule ends.
//
// Layer: it imports nothing of ours; the tier and cmd/ambit-guest use it.
package channel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

// ready is what a guest says once, when it has booted: a template is stopped
// behind it, and a clone goes on there.
const ready = "ambit-guest 1\n"

// begin is what the launcher says first, with NonceSize bytes behind it. A guest
// of another version does not answer with the same.
const begin = "AMBITVM1"

// NonceSize is the size of the launcher's nonce.
const NonceSize = 32

// windowSize bounds what a stream holds that nobody has read.
const windowSize = 1 << 20

// writeIn is how long the other side may not read at all. A paused machine is not
// lost by it: nothing is sent to one.
const writeIn = time.Minute

// AwaitReady waits until the guest of a machine that was booted is ready.
func AwaitReady(c net.Conn, until time.Time) error {
	if err := c.SetReadDeadline(until); err != nil {
		return err
	}
	b := make([]byte, len(ready))
	if _, err := io.ReadFull(c, b); err != nil {
		return fmt.Errorf("wait for the guest: %w", err)
	}
	if string(b) != ready {
		return fmt.Errorf("the guest is another version's: it said %q", b)
	}
	return c.SetReadDeadline(time.Time{})
}

// Session opens streams to a guest.
type Session struct{ mux *yamux.Session }

// Open begins the launcher's side.
//
// Security: the guest opens no stream that anybody takes, and no more than a few
// are held for it.
func Open(c net.Conn, nonce [NonceSize]byte, until time.Time) (*Session, error) {
	if err := c.SetDeadline(until); err != nil {
		return nil, err
	}
	first := append([]byte(begin), nonce[:]...)
	if _, err := c.Write(first); err != nil {
		return nil, fmt.Errorf("greet the guest: %w", err)
	}
	answer := make([]byte, len(first))
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, fmt.Errorf("wait for the guest's answer: %w", err)
	}
	if !bytes.Equal(answer, first) {
		return nil, errors.New("the guest's answer is not the one to this greeting")
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	mux, err := yamux.Client(c, config())
	if err != nil {
		return nil, err
	}
	return &Session{mux}, nil
}

// Accept waits for the launcher at the guest's side.
func Accept(c io.ReadWriteCloser) (*yamux.Session, error) {
	if _, err := io.WriteString(c, ready); err != nil {
		return nil, err
	}
	first := make([]byte, len(begin)+NonceSize)
	if _, err := io.ReadFull(c, first); err != nil {
		return nil, err
	}
	if string(first[:len(begin)]) != begin {
		return nil, fmt.Errorf("the launcher is another version's: it said %q", first[:len(begin)])
	}
	if _, err := c.Write(first); err != nil {
		return nil, err
	}
	cfg := config()
	cfg.AcceptBacklog = 64 // the launcher's streams
	return yamux.Server(c, cfg)
}

func config() *yamux.Config {
	cfg := yamux.DefaultConfig()
	cfg.AcceptBacklog = 16          // of what a guest opens nothing is taken; this many wait for it
	cfg.EnableKeepAlive = false     // a paused machine does not answer
	cfg.StreamCloseTimeout = 0      // a program may leave its input open for days
	cfg.StreamOpenTimeout = writeIn // a guest that acknowledges none is lost
	cfg.ConnectionWriteTimeout = writeIn
	cfg.MaxStreamWindowSize = windowSize
	cfg.LogOutput = io.Discard // a guest's words are no log
	return cfg
}

// Close ends all streams.
func (s *Session) Close() error { return s.mux.Close() }

// Lost is closed when the session has ended.
func (s *Session) Lost() <-chan struct{} { return s.mux.CloseChan() }

// Stream opens a stream and puts a request on it.
func (s *Session) Stream(r Request) (*Stream, error) {
	c, err := s.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("open a stream to the guest: %w", err)
	}
	st := NewStream(c, largestAnswer)
	if err := st.Send(r); err != nil {
		_ = c.Close() // err says more
		return nil, err
	}
	return st, nil
}

// Ask puts a request and waits for its answer.
func (s *Session) Ask(r Request, until time.Time) (Answer, error) {
	st, err := s.Stream(r)
	if err != nil {
		return Answer{}, err
	}
	defer st.Close() //nolint:errcheck // it was answered
	return st.Answer(until)
}
