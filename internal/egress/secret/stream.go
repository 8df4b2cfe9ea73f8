package secret

import (
	"bytes"
	"errors"
	"io"
)

// A word is looked for in a stream.
type word struct {
	text []byte
	met  func() error // ends the stream with an error; nil: the word is crossed out
}

// A stream passes bytes on and looks for words in them, also across the borders
// of reads. It holds back no more than what may be the beginning of a word, so
// that what trickles goes on trickling.
type stream struct {
	from  io.ReadCloser
	words []word
	end   func() error // called at the end of from; nil: nothing

	space []byte // that buf lies in
	buf   []byte // read and not passed on yet
	ready int    // how much of it may be passed on
	err   error  // after buf
}

const chunk = 32 << 10

// Read returns what may be passed on.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for s.ready == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.fill()
	}
	n := copy(p, s.buf[:s.ready])
	s.buf, s.ready = s.buf[n:], s.ready-n
	return n, nil
}

// fill reads once.
func (s *stream) fill() {
	held := len(s.buf)
	if len(s.space) < held+chunk/2 {
		s.space = make([]byte, held+chunk)
	}
	copy(s.space, s.buf)
	n, err := s.from.Read(s.space[held:])
	s.buf, s.err = s.space[:held+n], err
	for _, w := range s.words {
		if err := w.cross(s.buf); err != nil {
			s.buf, s.ready, s.err = nil, 0, err
			return
		}
	}
	if s.err == nil {
		s.ready = len(s.buf) - s.begun()
		return
	}
	s.ready = len(s.buf)
	if errors.Is(s.err, io.EOF) && s.end != nil {
		if err := s.end(); err != nil {
			s.buf, s.ready, s.err = nil, 0, err
		}
	}
}

// cross crosses the word out where it stands, or says that it does.
func (w word) cross(text []byte) error {
	for {
		i := bytes.Index(text, w.text)
		if i < 0 {
			return nil
		}
		if w.met != nil {
			return w.met()
		}
		cover(text[i : i+len(w.text)])
		text = text[i+len(w.text):]
	}
}

// cover writes asterisks: the length of what is sent stays what was announced.
func cover(text []byte) {
	for i := range text {
		text[i] = '*'
	}
}

// begun is how much at the end may be the beginning of a word.
func (s *stream) begun() int {
	most := 0
	for _, w := range s.words {
		tail := s.buf[max(0, len(s.buf)-len(w.text)+1):]
		for len(tail) > most {
			i := bytes.IndexByte(tail, w.text[0])
			if i < 0 || len(tail)-i <= most {
				break
			}
			if tail = tail[i:]; bytes.HasPrefix(w.text, tail) {
				most = len(tail)
				break
			}
			tail = tail[1:]
		}
	}
	return most
}

// Close closes what is read from.
func (s *stream) Close() error { return s.from.Close() }
