package two

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"golang.org/x/net/http2"
)

// A stream is one request and its response, at one end of one connection. Everything
// in it is guarded by its link's mu.
type stream struct {
	link *link
	id   uint32
	wake sync.Cond // something has come

	// What comes.
	body     buffer
	declared int64 // how long the body says that it is; -1: it does not
	got      int64 // of the body
	window   int64 // that may come
	limit    int64 // of window
	owed     int64 // was taken, and not told
	over     bool  // nothing more comes
	deaf     bool  // nobody takes what comes
	trailer  http.Header
	err      error // why it is no more; what has come until then can be read

	// What goes.
	room  int64
	ended bool // nothing more goes
	piece int  // of the link, that the last frame is in
	flags int  // where the flags of that are; 0: nowhere

	// A program's.
	cancel func()
	// A server's.
	early []early
	head  *http.Response
	from  *http.Request
}

// early is a response before the one that counts.
type early struct {
	code   int
	header http.Header
}

// stream makes a stream and keeps it. mu is held.
func (l *link) stream(id uint32) *stream {
	st := &stream{link: l, id: id, room: l.first, window: streamWindow, limit: streamWindow, declared: -1}
	st.wake.L = &l.mu
	l.streams[id] = st
	l.begun++
	return st
}

// A Reset is how the other side has ended a stream.
type Reset struct{ Code http2.ErrCode }

func (r *Reset) Error() string { return "the other side reset the stream: " + r.Code.String() }

// fail ends a stream: whoever waits for it is told, and so is its handler.
func (st *stream) fail(err error) {
	if st.err == nil {
		st.err = err
	}
	st.wake.Broadcast()
	if st.link.waiting > 0 {
		st.link.drained.Broadcast()
	}
	if st.cancel != nil {
		st.cancel()
	}
}

// drop forgets a stream, whose end is err.
func (l *link) drop(st *stream, err error) {
	l.remove(st)
	st.fail(err)
}

// remove has a stream not be one of the connection's any more. mu is held.
func (l *link) remove(st *stream) {
	if l.streams[st.id] != st {
		return
	}
	delete(l.streams, st.id)
	l.grown -= st.limit - streamWindow
	if l.waiting > 0 {
		l.drained.Broadcast()
	}
	if l.going && len(l.streams) == 0 {
		l.quit(errOver)
	}
}

// forget leaves what has come of a body.
func (st *stream) forget() {
	st.deaf = true
	st.link.owe(int64(st.body.drop()))
}

// data is told of some of a body.
func (l *link) data(f *http2.DataFrame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, text := int64(f.Length), f.Data()
	if l.side.idle(f.StreamID) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if n > l.window {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	l.window -= n
	st := l.streams[f.StreamID]
	if st == nil {
		l.owe(n) // it was on its way when the stream was reset
		return nil
	}
	if err := st.fits(n, int64(len(text))); err != nil {
		l.owe(n)
		return err
	}
	st.window -= n
	l.owe(n - int64(len(text)))
	st.got += int64(len(text))
	if st.deaf {
		l.owe(int64(len(text)))
	} else {
		st.owe(n - int64(len(text)))
		st.body.add(text)
	}
	if f.StreamEnded() {
		return st.complete()
	}
	if len(text) > 0 {
		st.wake.Broadcast()
	}
	return nil
}

// fits reports whether so much of a body may come.
func (st *stream) fits(n, text int64) error {
	switch {
	case st.from != nil && st.head == nil:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol}
	case st.over:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeStreamClosed}
	case n > st.window:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeFlowControl}
	case st.declared >= 0 && st.got+text > st.declared:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol, Cause: errLength}
	}
	return nil
}

var errLength = errors.New("its body is not as long as it says")

// complete is told that nothing more comes.
func (st *stream) complete() error {
	if st.declared >= 0 && st.got != st.declared {
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol, Cause: errLength}
	}
	st.over = true
	st.wake.Broadcast()
	st.settle()
	return nil
}

// settle forgets a stream of a server that has ended on both sides.
func (st *stream) settle() {
	if st.over && st.ended && st.from != nil {
		st.link.remove(st)
	}
}

// owe counts what was taken from here, and now and then tells the other side that it
// may send as much again.
func (l *link) owe(n int64) {
	if l.owed += n; l.owed >= linkWindow/16 {
		l.window += l.owed
		l.sayWindow(0, uint32(l.owed))
		l.owed = 0
		l.said()
	}
}

func (st *stream) owe(n int64) {
	if st.owed += n; st.owed >= st.limit/4 && !st.over && st.err == nil {
		more := st.owed + st.grow()
		st.window += more
		st.link.sayWindow(st.id, uint32(more))
		st.owed = 0
		st.link.said()
	}
}

// grow doubles the window of a response that is taken as it comes: no more of it comes
// in a round trip, which may be a long one to a server.
func (st *stream) grow() int64 {
	l, more := st.link, st.limit
	if st.from == nil || st.body.len() > 0 || 2*more > grownWindow || l.grown+more > maxGrown || l.streams[st.id] != st {
		return 0
	}
	st.limit, l.grown = st.limit+more, l.grown+more
	return more
}

// read takes some of what has come.
func (st *stream) read(p []byte) (int, error) {
	l := st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if n := st.body.take(p); n > 0 || len(p) == 0 {
			l.owe(int64(n))
			st.owe(int64(n))
			return n, nil
		}
		switch {
		case st.deaf:
			return 0, http.ErrBodyReadAfterClose
		case st.over:
			return 0, io.EOF
		case st.err != nil:
			return 0, st.err
		}
		st.wake.Wait()
	}
}

// send sends some of a body.
func (st *stream) send(p []byte) (n int, err error) {
	l := st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(p) > 0 {
		for st.err == nil && (st.room <= 0 || l.room <= 0 || len(l.held) >= maxHeld) {
			l.wait()
		}
		if st.err != nil {
			return n, st.err
		}
		part := p[:min(int64(len(p)), st.room, l.room, int64(l.frame))]
		st.piece, st.flags = l.piece, len(l.held)+4
		l.begin(http2.FrameData, 0, st.id, len(part))
		l.held = append(l.held, part...)
		l.said()
		st.room, l.room = st.room-int64(len(part)), l.room-int64(len(part))
		p, n = p[len(part):], n+len(part)
	}
	return n, nil
}

// finish ends what goes, after a trailer if there is one. mu is held.
func (st *stream) finish(trailer func()) {
	l := st.link
	if st.ended || st.err != nil {
		return
	}
	st.ended = true
	if trailer != nil {
		trailer()
	}
	switch {
	case l.block.Len() > 0:
		l.sayHead(st.id, http2.FlagHeadersEndStream)
	case st.flags > 0 && st.piece == l.piece:
		l.held[st.flags] |= byte(http2.FlagDataEndStream) // the last frame is not written yet
	default:
		l.begin(http2.FrameData, http2.FlagDataEndStream, st.id, 0)
		l.said()
	}
	st.settle()
}

// errLeft is the end of a stream that nobody has any more.
var errLeft = fmt.Errorf("%w: left", errOver)

// abandon resets a stream, unless it has ended on both sides. mu is held.
func (st *stream) abandon(code http2.ErrCode) {
	l := st.link
	if l.streams[st.id] == st && st.err == nil && (!st.over || !st.ended) {
		l.sayReset(st.id, code)
	}
	st.forget()
	l.drop(st, errLeft)
}
