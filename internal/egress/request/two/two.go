// Package two speaks HTTP/2 frame by frame: with a program as its server, and with
// a server as its client. One goroutine reads a connection and one writes it, and
// what several streams have to say goes in one piece.
//
// Invariants, with the tests that hold them:
//
//   - What is malformed ends its stream or its connection, and is handed to nobody
//     (TestMalformed, TestFloods).
//   - No more is held of a connection than its windows say, and no window is given
//     back for what was not taken from here (TestWindows).
//   - A stream that breaks off is not whole to its reader (TestBreaksOff).
//   - What a reader of frames makes of a header is what was to be sent
//     (FuzzRequests).
//
// Push, priorities and extended CONNECT are not spoken (RFC 9113, sections 8.4 and
// 5.3; RFC 8441).
//
// Layer: part of a mediator. It knows connections and messages; what a request may
// do is decided above it.
package two

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Bounds of one connection.
const (
	maxStreams   = 128       // at once
	streamWindow = 256 << 10 // of a body that is not taken from here yet
	grownWindow  = 4 << 20   // of one from a server that may be far, where all of it is taken as it comes
	maxGrown     = 16 << 20  // of all such, beyond what each stream has
	linkWindow   = maxStreams*streamWindow + maxGrown
	maxHeld      = 128 << 10 // to be written, before whoever has more waits
	maxAnswers   = 64 << 10  // and of answers to what was asked beside them
	maxFrame     = 16 << 10
	maxEarly     = 32 // responses before the one that counts that nobody has taken yet
	tableSize    = 4096
	beginTime    = 10 * time.Second // for the preface and the first settings
	endTime      = 5 * time.Second  // that the other side has to take what is said last
)

// Of a peer that resets what it has begun, or begins what it may not: each such
// stream has been work, and it may have this many of them in a while.
const (
	maxWasted  = 2000
	wastedTime = 10 * time.Second
)

// A side is what the two ends of a connection do in their own way. Its methods are
// called by the goroutine that reads.
type side interface {
	headers(f *http2.MetaHeadersFrame) error
	goneAway(f *http2.GoAwayFrame)
	settled(s http2.Setting) error
	idle(id uint32) bool // a stream that has not begun
}

// A link is one end of a connection.
type link struct {
	c    net.Conn
	in   *http2.Framer
	side side

	mu      sync.Mutex
	filled  sync.Cond     // there is something to write, or nothing will be
	drained sync.Cond     // somebody who waits to write may go on
	waiting int           // on drained; guarded by mu
	held    []byte        // frames to be written; guarded by mu
	piece   int           // number of the piece that held will be; guarded by mu
	closed  bool          // nothing more is taken; guarded by mu
	done    chan struct{} // closed when nothing is written any more

	coder *hpack.Encoder // guarded by mu, as are all that follow
	block bytes.Buffer   // what coder writes to
	names map[string]string

	streams map[uint32]*stream
	room    int64  // that may be sent
	first   int64  // what may be sent of a new stream
	frame   int    // the longest that may be sent
	window  int64  // that may be received
	owed    int64  // taken, and not told
	grown   int64  // that the windows of streams are larger than at first
	begun   int    // streams, since the connection is there
	going   bool   // the other side begins no streams, and takes none
	last    uint32 // stream that the other side has begun
	wasted  int
	since   time.Time // that wasted is counted
}

// open makes one end of a connection, and has what it says first written.
func (l *link) open(c net.Conn, s side, hello []byte, maxList uint32) {
	l.c, l.side = c, s
	l.filled.L, l.drained.L = &l.mu, &l.mu
	l.done = make(chan struct{})
	l.names = map[string]string{}
	l.streams = map[uint32]*stream{}
	l.room, l.first, l.frame, l.window = 65535, 65535, maxFrame, linkWindow
	l.coder = hpack.NewEncoder(&l.block)
	l.in = http2.NewFramer(nil, bufio.NewReaderSize(c, 2*maxFrame))
	l.in.SetMaxReadFrameSize(maxFrame)
	l.in.SetReuseFrames()
	l.in.ReadMetaHeaders = hpack.NewDecoder(tableSize, nil)
	l.in.MaxHeaderListSize = maxList
	l.held = append(l.held, hello...)
	l.sayWindow(0, linkWindow-65535)
	go l.write()
}

// write writes what is held, and closes the connection in the end.
func (l *link) write() {
	defer close(l.done)
	defer l.c.Close() //nolint:errcheck // it has ended
	var out []byte
	for {
		l.mu.Lock()
		for len(l.held) == 0 && !l.closed {
			l.filled.Wait()
		}
		if len(l.held) == 0 {
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		runtime.Gosched() // whoever can run now may have something to say too
		l.mu.Lock()
		out, l.held = l.held, out[:0]
		l.piece++
		if l.waiting > 0 {
			l.drained.Broadcast()
		}
		l.mu.Unlock()
		if _, err := l.c.Write(out); err != nil {
			l.end(err)
			return
		}
		if cap(out) > 2*maxHeld {
			out = nil
		}
	}
}

// said has what is held written. mu is held.
func (l *link) said() { l.filled.Signal() }

// end ends the connection: every stream with an error, and what is held has a while
// to be written.
func (l *link) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quit(err)
}

// quit is end. mu is held.
func (l *link) quit(err error) {
	if l.closed {
		return
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // which no reader of a body takes for its end
	}
	l.closed = true
	for _, st := range l.streams {
		st.fail(err)
	}
	clear(l.streams)
	l.filled.Signal()
	l.drained.Broadcast()
	_ = l.c.SetWriteDeadline(time.Now().Add(endTime)) // it may be closed
}

// errOver is the end of a connection that nobody complains about.
var errOver = errors.New("the connection has ended")

// read serves what the other side says until it has ended, or is not understood.
func (l *link) read() error {
	if err := l.c.SetReadDeadline(time.Now().Add(beginTime)); err != nil {
		return err
	}
	for first := true; ; {
		f, err := l.in.ReadFrame()
		if err == nil && first {
			if s, ok := f.(*http2.SettingsFrame); !ok || s.IsAck() {
				err = http2.ConnectionError(http2.ErrCodeProtocol)
			} else {
				first, err = false, l.c.SetReadDeadline(time.Time{})
			}
		}
		if err == nil {
			err = l.take(f)
		}
		if err == nil {
			continue
		}
		if se, ok := errors.AsType[http2.StreamError](err); ok && !first {
			if err = l.refuse(se); err == nil {
				continue
			}
		}
		return l.complain(err)
	}
}

// complain tells the other side what is wrong with what it said, if that is it.
func (l *link) complain(err error) error {
	code, ok := http2.ErrCodeNo, false
	if ce, is := errors.AsType[http2.ConnectionError](err); is {
		code, ok = http2.ErrCode(ce), true
	} else if errors.Is(err, http2.ErrFrameTooLarge) {
		code, ok = http2.ErrCodeFrameSize, true
	}
	if ok {
		l.mu.Lock()
		l.sayGoAway(code)
		l.mu.Unlock()
	}
	l.end(fmt.Errorf("HTTP/2: %w", err))
	return err
}

// take is told of one frame.
func (l *link) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return l.side.headers(f)
	case *http2.DataFrame:
		return l.data(f)
	case *http2.WindowUpdateFrame:
		return l.windowed(f)
	case *http2.RSTStreamFrame:
		return l.reset(f)
	case *http2.SettingsFrame:
		return l.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			return l.answer(func() { l.sayPong(f.Data) })
		}
	case *http2.GoAwayFrame:
		l.side.goneAway(f)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil // priorities, and what is not known
}

// answer says something that the other side has asked for. One that asks and does
// not read is not read either.
func (l *link) answer(say func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.held) >= maxHeld+maxAnswers && !l.closed {
		l.wait()
	}
	if l.closed {
		return errOver
	}
	say()
	l.said()
	return nil
}

// wait waits until there may be room to write. mu is held.
func (l *link) wait() {
	l.waiting++
	l.drained.Wait()
	l.waiting--
}

// roomy waits until not much is to be written. mu is held.
func (st *stream) roomy() {
	for len(st.link.held) >= maxHeld && st.err == nil {
		st.link.wait()
	}
}

// refuse resets a stream on which something was malformed.
func (l *link) refuse(e http2.StreamError) error {
	if err := l.waste(); err != nil {
		return err
	}
	return l.answer(func() {
		if l.side.idle(e.StreamID) {
			l.last = e.StreamID // it was malformed from the beginning
		}
		if st := l.streams[e.StreamID]; st != nil {
			l.drop(st, fmt.Errorf("HTTP/2: %w", e))
		}
		l.sayReset(e.StreamID, e.Code)
	})
}

// waste counts a stream that was begun for nothing.
func (l *link) waste() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.since) > wastedTime {
		l.since, l.wasted = now, 0
	}
	if l.wasted++; l.wasted > maxWasted {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}

// Close ends the connection, and returns when nothing of it is left but streams that
// somebody still has.
func (l *link) Close() {
	l.end(errOver)
	_ = l.c.SetReadDeadline(time.Unix(1, 0)) // it may be closed
	<-l.done
}
