//go:build linux

package inside

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
)

// What is said over a pipe is frames: a kind, four bytes of length, and so many bytes.
const (
	frameFile   = 'f' // a node: a file begins
	frameData   = 'd' // of the file
	frameEnd    = 'e' // of the file
	frameBroken = 'x' // the file could not be read to its end: why
	frameFolder = 'D' // a node: a folder begins
	frameUp     = 'u' // it ends
)

// largestFrame bounds a frame, and pieceSize is how much of a file goes into one.
const (
	largestFrame = 64 << 10
	pieceSize    = 32 << 10
)

// A node is a file or a folder that begins.
type node struct {
	Name []byte `json:"name"`
	Mode uint32 `json:"mode"`
}

var errFrame = errors.New("what comes out of the session is not what was asked for")

// A frameWriter puts frames on a pipe.
type frameWriter struct{ w io.Writer }

func (f frameWriter) put(kind byte, text []byte) error {
	b := make([]byte, 5, 5+len(text))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(text)))
	_, err := f.w.Write(append(b, text...))
	return err
}

func (f frameWriter) begin(kind byte, name string, mode uint32) error {
	text, err := json.Marshal(node{[]byte(name), mode})
	if err != nil {
		return err
	}
	return f.put(kind, text)
}

// pour sends what there is to read, and that it ends, or could not be read.
func (f frameWriter) pour(from io.Reader) (n int64, err error) {
	for b := make([]byte, pieceSize); ; {
		k, err := from.Read(b)
		if k > 0 {
			if err := f.put(frameData, b[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if errors.Is(err, io.EOF) {
			return n, f.put(frameEnd, nil)
		}
		if err != nil {
			return n, errors.Join(err, f.put(frameBroken, []byte(clip(err.Error()))))
		}
	}
}

func clip(s string) string { return s[:min(len(s), 1000)] }

// streamed is a place at the other end of a pipe.
type streamed struct {
	frameWriter
	top bool // what is put here was not in a folder
}

func (s streamed) folder(name string, mode uint32) (place, error) {
	return streamed{s.frameWriter, false}, s.begin(frameFolder, name, mode)
}

func (s streamed) file(name string, mode uint32, from io.Reader) (int64, error) {
	if err := s.begin(frameFile, name, mode); err != nil {
		return 0, err
	}
	return s.pour(from)
}

func (s streamed) close() error {
	if s.top {
		return nil
	}
	return s.put(frameUp, nil)
}

// A frameReader takes frames from a pipe.
//
// Security: what is at its other end may be a program of the session's. A frame has a
// bound, a name is one of a single file or folder, and how deep folders lie is bounded.
type frameReader struct {
	r io.Reader
}

func (f frameReader) next() (kind byte, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, noEnd(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > largestFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errFrame, n)
	}
	text = make([]byte, n)
	if _, err := io.ReadFull(f.r, text); err != nil {
		return 0, nil, noEnd(err)
	}
	return head[0], text, nil
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// node is the next thing that begins; nil: the folder ends.
func (f frameReader) node() (kind byte, n *node, err error) {
	kind, text, err := f.next()
	if err != nil {
		return 0, nil, err
	}
	switch kind {
	case frameUp:
		return kind, nil, nil
	case frameFile, frameFolder:
	default:
		return 0, nil, fmt.Errorf("%w: a frame of kind %q", errFrame, kind)
	}
	n = &node{}
	if err := json.Unmarshal(text, n); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	if len(n.Name) > 255 || !NameIn(string(n.Name)) {
		return 0, nil, fmt.Errorf("%w: the name %q", errFrame, clip(string(n.Name)))
	}
	return kind, n, nil
}

// content reads one file.
type content struct {
	f     frameReader
	piece []byte
	end   error // nil: there is more
}

// errBroken is a file that could not be read where it comes from.
var errBroken = errors.New("it could not be read to its end")

func (c *content) Read(b []byte) (int, error) {
	for len(c.piece) == 0 && c.end == nil {
		kind, text, err := c.f.next()
		switch {
		case err != nil:
			c.end = err
		case kind == frameData:
			c.piece = text
		case kind == frameEnd:
			c.end = io.EOF
		case kind == frameBroken:
			c.end = fmt.Errorf("%w: %q", errBroken, clip(string(text)))
		default:
			c.end = fmt.Errorf("%w: a frame of kind %q in a file", errFrame, kind)
		}
	}
	if len(c.piece) == 0 {
		return 0, c.end
	}
	n := copy(b, c.piece)
	c.piece = c.piece[n:]
	return n, nil
}

// rest passes over what was not read. It fails where nothing more can be read.
func (c *content) rest() error {
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, errBroken) {
		return nil
	}
	return err
}

// take makes a file of what comes next.
func (c *Copier) take(f frameReader, to place, n *node, at string) error {
	from := &content{f: f}
	size, err := to.file(string(n.Name), n.Mode&0o777, from)
	if e := from.rest(); e != nil {
		return e
	}
	if err != nil {
		return c.leave(at, err.Error())
	}
	c.took(size)
	return nil
}

// receive makes what comes of a folder, until that ends.
func (c *Copier) receive(f frameReader, to place, shown string, depth int) error {
	for {
		kind, n, err := f.node()
		if err != nil || n == nil {
			return err
		}
		at := path.Join(shown, string(n.Name))
		if kind == frameFile {
			if err := c.take(f, to, n, at); err != nil {
				return err
			}
			continue
		}
		if depth >= deepest {
			return fmt.Errorf("%w: %q lies too deep", errFrame, clip(at))
		}
		in, err := to.folder(string(n.Name), n.Mode&0o777)
		if err != nil {
			return fmt.Errorf("make %s: %w", quoted(at), err)
		}
		if err := errors.Join(c.receive(f, in, at, depth+1), in.close()); err != nil {
			return err
		}
	}
}
