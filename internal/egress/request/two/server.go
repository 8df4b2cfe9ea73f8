package two

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// A Handler answers a request, and reports whether the answer is whole: one that is
// not is broken off. The request's context ends with the stream.
type Handler func(w *Reply, r *http.Request) (whole bool)

// A server is this end of a program's connection.
type server struct {
	link
	ctx     context.Context
	handler Handler
	do      func(func())
	work    sync.WaitGroup
	running int // handlers; guarded by mu
}

// Serve answers the requests of a connection until it has ended, which it also does
// by c being closed, and after idle without any. Its handlers have ended then. do has
// one called soon by another goroutine; maxHeader bounds the header of a request.
func Serve(ctx context.Context, c net.Conn, maxHeader uint32, idle time.Duration, do func(func()), h Handler) {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{ctx: ctx, handler: h, do: do}
	s.open(c, s, settingsFrame(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeader}), maxHeader)
	tired := s.tire(idle)
	if err := s.greeted(c); err != nil {
		s.end(err)
	} else {
		s.end(s.read())
	}
	cancel()
	tired()
	<-s.done
	s.work.Wait()
}

// greeted reads what a connection begins with.
func (s *server) greeted(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(beginTime)); err != nil {
		return err
	}
	var preface [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(c, preface[:]); err != nil {
		return err
	}
	if string(preface[:]) != http2.ClientPreface {
		return errors.New("it does not begin as HTTP/2 does")
	}
	return nil
}

// tire ends the connection when it has had no stream for a time between idle and
// twice that: a look now and then costs less than a timer for each request.
func (l *link) tire(idle time.Duration) (stop func()) {
	seen := -1
	var timer *time.Timer
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(idle, func() {
		mu.Lock()
		defer mu.Unlock()
		l.mu.Lock()
		unused := len(l.streams) == 0 && seen == l.begun
		if seen = l.begun; unused && !l.closed {
			l.sayGoAway(http2.ErrCodeNo)
		}
		l.mu.Unlock()
		if !unused {
			timer.Reset(idle)
			return
		}
		l.end(errOver)
		_ = l.c.SetReadDeadline(time.Unix(1, 0)) // it may be closed
	})
	return func() { timer.Stop() }
}

func (s *server) idle(id uint32) bool { return id%2 == 0 || id > s.last }

func (s *server) goneAway(*http2.GoAwayFrame) {} // it begins no more streams, and closes

func (s *server) settled(http2.Setting) error { return nil }

// headers is told of the beginning of a request, or of its end.
func (s *server) headers(f *http2.MetaHeadersFrame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := f.StreamID
	switch {
	case id%2 == 0:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case s.streams[id] != nil:
		return s.streams[id].trailed(f)
	case id <= s.last && f.StreamEnded() && len(f.PseudoFields()) == 0:
		return nil // of a stream that was reset meanwhile
	case id <= s.last:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case s.closed:
		return errOver
	}
	s.last = id
	if s.running >= 2*maxStreams { // of streams that it has reset
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if len(s.streams) >= maxStreams {
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeRefusedStream}
	}
	if f.Truncated {
		return s.tooLong(f)
	}
	r, waits, err := readRequest(f)
	if err != nil {
		return err
	}
	st := s.stream(id)
	st.declared = r.ContentLength
	st.over = f.StreamEnded()
	a := &Reply{st: st, header: http.Header{}, empty: r.Method == http.MethodHead, waits: waits}
	if !st.over {
		r.Body = &requestBody{a, r}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	st.cancel = cancel
	s.running++
	s.work.Add(1)
	s.do(func() {
		defer s.work.Done()
		s.answer(a, r.WithContext(ctx))
	})
	return nil
}

// tooLong answers a request whose header nobody reads to its end.
func (s *server) tooLong(f *http2.MetaHeadersFrame) error {
	st := s.stream(f.StreamID)
	st.over = f.StreamEnded()
	s.field(":status", "431", false)
	s.field("content-length", "0", false)
	st.flags, st.piece = s.sayHead(st.id, 0), s.piece
	s.closeStream(st, true)
	return nil
}

// answer has a request answered.
func (s *server) answer(a *Reply, r *http.Request) {
	whole := s.handler(a, r)
	st := a.st
	s.mu.Lock()
	defer s.mu.Unlock()
	if whole {
		whole = a.finish()
	}
	s.closeStream(st, whole)
	s.running--
}

// closeStream ends a stream whose answer has been given. mu is held.
func (s *server) closeStream(st *stream, whole bool) {
	switch {
	case !whole:
		st.abandon(http2.ErrCodeInternal)
	default:
		st.finish(nil)
		st.abandon(http2.ErrCodeNo) // the rest of the request is of no use
	}
	if st.cancel != nil {
		st.cancel()
	}
}

// trailed is told what comes after the body of a request. Only what was announced is
// taken of it.
func (st *stream) trailed(f *http2.MetaHeadersFrame) error {
	malformed := http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol}
	switch {
	case st.over:
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeStreamClosed}
	case !f.StreamEnded(), len(f.PseudoFields()) > 0, f.Truncated:
		return malformed
	}
	h := http.Header{}
	for _, field := range f.RegularFields() {
		name := http.CanonicalHeaderKey(field.Name)
		if !trails(name) {
			return malformed
		}
		h[name] = append(h[name], field.Value)
	}
	st.trailer = h
	return st.complete()
}

// requestBody is the body of a program's request.
type requestBody struct {
	reply *Reply
	of    *http.Request
}

// Read tells a program that waits for it to go on, and takes some of what comes.
func (b *requestBody) Read(p []byte) (int, error) {
	b.reply.goOn()
	n, err := b.reply.st.read(p)
	if err == io.EOF { //nolint:errorlint // it is said in no other way
		for name := range b.of.Trailer {
			if b.of.Trailer[name] = b.reply.st.trailer[name]; b.of.Trailer[name] == nil {
				delete(b.of.Trailer, name)
			}
		}
	}
	return n, err
}

// Close leaves the rest.
func (b *requestBody) Close() error {
	l := b.reply.st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if !b.reply.st.deaf {
		b.reply.st.forget()
		b.reply.st.wake.Broadcast()
	}
	return nil
}
