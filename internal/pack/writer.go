package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// A Writer writes a pack beneath a folder that is empty, within the bounds.
//
// Security: names, sizes and targets are the author's of the pack. A name is clean
// and within; os.Root follows no link out of it; nothing that was written is
// written again; only files, folders and links within are made.
type Writer struct {
	root  *os.Root
	room  int64 // how many bytes may still come
	count int
}

// NewWriter writes beneath a folder.
func NewWriter(root *os.Root) *Writer { return &Writer{root: root, room: MaxBytes} }

// begin checks a name, and makes the folders that it lies in. What is no part of a
// pack is skipped.
func (w *Writer) begin(name string) (skip bool, err error) {
	if name == "." || name == gitDir || strings.HasPrefix(name, gitDir+"/") {
		return true, nil
	}
	if !fs.ValidPath(name) {
		return false, fmt.Errorf("it has the name %q, which is not within it", name)
	}
	w.count++
	if err := roomFor(w.count, name); err != nil {
		return false, err
	}
	return false, w.root.MkdirAll(path.Dir(name), 0o755)
}

// Dir makes a folder, which may be there.
func (w *Writer) Dir(name string) error {
	if skip, err := w.begin(name); skip || err != nil {
		return err
	}
	return w.root.MkdirAll(name, 0o755)
}

// Link makes a link.
func (w *Writer) Link(name, target string) error {
	if skip, err := w.begin(name); skip || err != nil {
		return err
	}
	if err := within(name, target); err != nil {
		return err
	}
	return w.root.Symlink(target, name)
}

// File makes a file of everything that content has, durably.
func (w *Writer) File(name string, mode fs.FileMode, content io.Reader) error {
	if skip, err := w.begin(name); skip || err != nil {
		return err
	}
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, Plain(mode))
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, w.room+1))
	if w.room -= n; err == nil && w.room < 0 {
		err = tooLarge()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Plain is the mode that an entry has in every pack: who may write to it, and
// anything that is special, is not the author's to say.
func Plain(m fs.FileMode) fs.FileMode {
	if m.IsDir() || m.Perm()&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// copyTree writes what is in a folder beneath another, which is empty.
func copyTree(from *os.Root, tree []Entry, to *os.Root) error {
	w := NewWriter(to)
	for _, e := range tree {
		var err error
		switch {
		case e.Mode.IsDir():
			err = w.Dir(e.Path)
		case e.Mode&fs.ModeSymlink != 0:
			err = w.Link(e.Path, e.Target)
		default:
			err = w.copy(from, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) copy(from *os.Root, e Entry) error {
	f, err := from.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.File(e.Path, e.Mode, f)
}
