package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// NodeKind is what a Node is.
type NodeKind string

// The kinds of node. There is none for devices, sockets and pipes: they do not
// cross the channel.
const (
	NodeDir    NodeKind = "dir"
	NodeFile   NodeKind = "file"
	NodeLink   NodeKind = "link"
	NodeClosed NodeKind = "closed" // it is there, and cannot be read
)

// Node is one object of a folder. Behind a file its content follows, unless it is
// Same: then the other side has it.
type Node struct {
	Path   string   `json:"path"` // from the folder; "." is the folder, or the file, itself
	Kind   NodeKind `json:"kind"`
	Mode   uint32   `json:"mode"`
	Size   int64    `json:"size,omitempty"`
	Time   int64    `json:"time,omitempty"` // of its last change, in nanoseconds since 1970
	UID    int      `json:"uid,omitempty"`
	GID    int      `json:"gid,omitempty"`
	Target string   `json:"target,omitempty"`
	Same   bool     `json:"same,omitempty"`
	Stands bool     `json:"stands,omitempty"` // it is empty, and stands for what is not given
	Opened bool     `json:"opened,omitempty"` // nothing but that it was open for writing tells that it may have changed
}

// Bounds of what one folder may have.
const (
	longestName   = 255
	longestTarget = 4095
	deepest       = 64
)

// check refuses nodes that name something outside of their folder, or that no file
// system would have.
//
// Security: what passes is a path of ordinary names beneath the folder. That no
// link on the way leads out is for whoever makes it to see to.
func (n Node) check() error {
	bad := func(why string) error { return fmt.Errorf("%w: the file %q %s", errMessage, clip(n.Path), why) }
	switch n.Kind {
	case NodeDir, NodeFile, NodeLink, NodeClosed:
	default:
		return bad("is of no kind that can be carried over")
	}
	if !fs.ValidPath(n.Path) || path.Clean(n.Path) != n.Path || strings.ContainsRune(n.Path, 0) {
		return bad("is not named by a path beneath its folder")
	}
	names := strings.Split(n.Path, "/")
	if len(names) > deepest {
		return bad("lies too deep")
	}
	for _, name := range names {
		if len(name) > longestName {
			return bad("has too long a name")
		}
	}
	switch {
	case n.Size < 0 || n.Size > 0 && (n.Kind != NodeFile || n.Same):
		return bad("has a size that it cannot have")
	case n.Mode&^0o7777 != 0:
		return bad("has a mode that it cannot have")
	case (n.Kind == NodeLink) != (n.Target != ""), len(n.Target) > longestTarget, strings.ContainsRune(n.Target, 0):
		return bad("is a link to nowhere")
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 100)] }

// Put sends a node, and a file's content behind it.
func (s *Stream) Put(n Node, content io.Reader) error {
	if err := s.sendJSON(kindNode, n); err != nil {
		return err
	}
	if n.Kind != NodeFile || n.Same {
		return nil
	}
	b := make([]byte, pieceSize)
	for left := n.Size; left > 0; {
		piece := b[:min(left, pieceSize)]
		k, err := io.ReadFull(content, piece)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			clear(piece[k:]) // it was cut short meanwhile, and its size was said
		} else if err != nil {
			return err
		}
		if err := s.write(kindPiece, piece); err != nil {
			return err
		}
		left -= int64(len(piece))
	}
	return nil
}

// EndFiles says that no node follows.
func (s *Stream) EndFiles() error { return s.write(kindEnd, nil) }

// Files reads nodes until their end. take is called for each, and reads the
// content before it returns; what it leaves is passed over.
func (s *Stream) Files(take func(n Node, content io.Reader) error) error {
	for {
		kind, text, err := s.read()
		if err != nil {
			return err
		}
		switch kind {
		case kindEnd:
			return nil
		case kindNode:
		case kindMessage: // the other side could not, and says why
			return refused(text)
		default:
			return fmt.Errorf("%w: kind %q among files", errMessage, kind)
		}
		var n Node
		if err := json.Unmarshal(text, &n); err != nil {
			return fmt.Errorf("%w: %w", errMessage, err)
		}
		if err := n.check(); err != nil {
			return err
		}
		c := &content{s: s, left: n.Size}
		if err := take(n, c); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			return err
		}
	}
}

// refused is what an answer in the place of files says.
func refused(text []byte) error {
	var a Answer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	if err := errors.Join(a.check(), a.Failed()); err != nil {
		return err
	}
	return fmt.Errorf("%w: an answer among files", errMessage)
}

// content reads the pieces of one file.
type content struct {
	s     *Stream
	left  int64
	piece []byte
}

func (c *content) Read(b []byte) (int, error) {
	for len(c.piece) == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		kind, text, err := c.s.read()
		if err != nil {
			return 0, noEnd(err)
		}
		if kind != kindPiece || len(text) == 0 || int64(len(text)) > c.left {
			return 0, fmt.Errorf("%w: content of kind %q, %d bytes, %d expected", errMessage, kind, len(text), c.left)
		}
		c.piece, c.left = text, c.left-int64(len(text))
	}
	n := copy(b, c.piece)
	c.piece = c.piece[n:]
	return n, nil
}
