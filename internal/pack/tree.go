package pack

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// gitDir, at the top, is no part of a pack: it changes with each look at it.
const gitDir = ".git"

// An Entry is one thing in a pack.
type Entry struct {
	Path   string // with slashes, beneath the pack's folder
	Mode   fs.FileMode
	Size   int64
	Target string // of a link
	sum    [sha256.Size]byte
}

// Executable reports whether it is a file that may be started.
func (e Entry) Executable() bool { return e.Mode.IsRegular() && e.Mode.Perm()&0o111 != 0 }

// line is what a digest has of an entry. Names are quoted, for they may have any bytes.
func (e Entry) line() string {
	name := strconv.QuoteToASCII(e.Path)
	switch {
	case e.Mode.IsDir():
		return "dir " + name + "\n"
	case e.Mode&fs.ModeSymlink != 0:
		return "link " + name + " " + strconv.QuoteToASCII(e.Target) + "\n"
	case e.Executable():
		return "program " + name + " " + hex.EncodeToString(e.sum[:]) + "\n"
	}
	return "file " + name + " " + hex.EncodeToString(e.sum[:]) + "\n"
}

// digest is over the lines of all entries, in the order of their paths.
func digest(tree []Entry) string {
	h := sha256.New()
	for _, e := range tree {
		_, _ = io.WriteString(h, e.line()) // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// list reads what is in a pack, but for its signature.
//
// Security: nothing is followed out of root, and what is not a file, a folder or a
// link within is an error.
func list(root *os.Root) (tree []Entry, err error) {
	var size int64
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".", name == SignatureFile:
			return nil
		case name == gitDir && d.IsDir():
			return fs.SkipDir
		}
		e, err := entry(root, name, MaxBytes-size)
		if err != nil {
			return err
		}
		size += e.Size
		tree = append(tree, e)
		return roomFor(len(tree), name)
	})
	slices.SortFunc(tree, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return tree, err
}

// roomFor refuses what is too much or too deep.
func roomFor(n int, name string) error {
	switch {
	case n > MaxFiles:
		return fmt.Errorf("it has more than %d files", MaxFiles)
	case strings.Count(name, "/") >= maxDepth:
		return fmt.Errorf("%q lies deeper than %d folders", name, maxDepth)
	}
	return nil
}

// entry reads one entry; room is how many bytes it may have.
func entry(root *os.Root, name string, room int64) (e Entry, err error) {
	info, err := root.Lstat(name)
	if err != nil {
		return e, err
	}
	e = Entry{Path: name, Mode: info.Mode().Type() | info.Mode().Perm()}
	switch {
	case e.Mode.IsDir():
		return e, nil
	case e.Mode&fs.ModeSymlink != 0:
		if e.Target, err = root.Readlink(name); err != nil {
			return e, err
		}
		return e, within(name, e.Target)
	case !e.Mode.IsRegular():
		return e, fmt.Errorf("%q is neither a file, a folder nor a link", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return e, err
	}
	defer f.Close()
	h := sha256.New()
	if e.Size, err = io.Copy(h, io.LimitReader(f, room+1)); err != nil {
		return e, err
	}
	if e.Size > room {
		return e, tooLarge()
	}
	h.Sum(e.sum[:0])
	return e, nil
}

func tooLarge() error { return fmt.Errorf("it has more than %d MiB", MaxBytes>>20) }

// within refuses a link that names something outside of the pack. What links lead
// to together is for the view to say, which has nothing else.
func within(name, target string) error {
	if path.IsAbs(target) || target == "" || !fs.ValidPath(path.Join(path.Dir(name), target)) {
		return fmt.Errorf("%q is a link to %q, which is not in the pack", name, target)
	}
	return nil
}

// readBounded reads a file of at most bound bytes.
func readBounded(root *os.Root, name string, bound int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would never be read to its end
		return nil, fmt.Errorf("%q is not a file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, bound+1))
	if err == nil && int64(len(text)) > bound {
		err = fmt.Errorf("%q has more than %d bytes", name, bound)
	}
	return text, err
}
