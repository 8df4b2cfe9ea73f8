//go:build linux

package changes

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What is what became of a path.
type What string

// What can become of a path. One that is something else than before is Replaced.
const (
	Added    What = "added"
	Changed  What = "changed"
	Replaced What = "replaced"
	Removed  What = "removed"
)

// A Change is what became of one path. A directory that was removed stands for all
// that was in it; one that was added does not.
type Change struct {
	Path   string      `json:"path"` // with slashes, beneath the directory
	What   What        `json:"what"`
	Mode   fs.FileMode `json:"-"` // now; of what was there, where it was removed
	Size   int64       `json:"size,omitempty"`
	Target string      `json:"target,omitempty"` // of a link
}

// Type says what it is.
func (c Change) Type() string {
	switch {
	case c.Mode.IsDir():
		return "directory"
	case c.Mode&fs.ModeSymlink != 0:
		return "link"
	case !c.Mode.IsRegular():
		return "special file"
	case c.Mode.Perm()&0o111 != 0:
		return "program"
	}
	return "file"
}

// List says what was changed, in the order of the paths, parents first.
func (s *Set) List() ([]Change, error) {
	source, err := s.source()
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // nothing was written
	up, err := os.OpenRoot(s.upper())
	if err != nil {
		return nil, err
	}
	defer up.Close() //nolint:errcheck // nothing was written
	l := lister{source: source, upper: up}
	err = l.directory(".", false)
	slices.SortFunc(l.all, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return l.all, err
}

func (s *Set) upper() string { return path.Join(s.dir, upper) }

type lister struct {
	source, upper *os.Root
	all           []Change
}

// directory lists the changes in a directory. alone says that nothing of what the
// source has there counts.
func (l *lister) directory(dir string, alone bool) error {
	entries, err := fs.ReadDir(l.upper.FS(), dir)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.Name()] = true
		if err := l.entry(path.Join(dir, e.Name()), alone); err != nil {
			return err
		}
	}
	if !alone || dir == "." {
		return nil
	}
	return l.gone(dir, seen)
}

// gone lists what the source has in a directory that was made anew.
func (l *lister) gone(dir string, seen map[string]bool) error {
	before, err := fs.ReadDir(l.source.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range before {
		if seen[e.Name()] {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		l.all = append(l.all, Change{Path: path.Join(dir, e.Name()), What: Removed, Mode: info.Mode()})
	}
	return nil
}

func (l *lister) entry(name string, alone bool) error {
	now, err := l.upper.Lstat(name)
	if err != nil {
		return err
	}
	before, err := l.source.Lstat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	there := err == nil
	if whiteout(now) {
		if there {
			l.all = append(l.all, Change{Path: name, What: Removed, Mode: before.Mode()})
		}
		return nil
	}
	c := Change{Path: name, What: Added, Mode: now.Mode(), Size: now.Size()}
	if c.Mode&fs.ModeSymlink != 0 {
		if c.Target, err = l.upper.Readlink(name); err != nil {
			return err
		}
	}
	switch {
	case !there:
	case before.Mode().Type() != now.Mode().Type():
		c.What = Replaced
	default:
		c.What = Changed
		same, err := l.same(c, before)
		if err != nil {
			return err
		}
		if same {
			c.What = ""
		}
	}
	if c.What != "" {
		l.all = append(l.all, c)
	}
	if !now.IsDir() {
		return nil
	}
	opaque, err := l.opaque(name)
	if err != nil {
		return err
	}
	return l.directory(name, alone || opaque)
}

// same reports whether a path is what it was before: its times and owner are not
// looked at.
func (l *lister) same(c Change, before fs.FileInfo) (bool, error) {
	switch {
	case c.Mode.Perm() != before.Mode().Perm():
		return false, nil
	case c.Mode.IsDir():
		return true, nil
	case c.Mode&fs.ModeSymlink != 0:
		target, err := l.source.Readlink(c.Path)
		return target == c.Target, err
	case !c.Mode.IsRegular() || c.Size != before.Size():
		return false, nil
	}
	return l.equal(c.Path)
}

func (l *lister) equal(name string) (bool, error) {
	a, err := l.upper.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // it says by its mode that nobody reads it
	}
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := l.source.Open(name)
	if err != nil {
		return false, err
	}
	defer b.Close()
	first, second := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, first)
		m, err2 := io.ReadFull(b, second)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case err != nil && !end:
			return false, err
		case err2 != nil && !errors.Is(err2, io.EOF) && !errors.Is(err2, io.ErrUnexpectedEOF):
			return false, err2
		case !bytes.Equal(first[:n], second[:m]):
			return false, nil
		case end:
			return true, nil
		}
	}
}

// whiteout reports whether something is the mark of what was removed.
func whiteout(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}

// opaque reports whether nothing that the source has in a directory counts.
func (l *lister) opaque(name string) (bool, error) {
	f, err := l.upper.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	value := make([]byte, 8)
	n, err := unix.Fgetxattr(int(f.Fd()), "user.overlay.opaque", value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil
	}
	return err == nil && string(value[:n]) == "y", err
}

// ErrLong says that a file is longer than is wanted of it.
var ErrLong = errors.New("it is too long to be shown")

// Content is what a file was and what it is; nil where it was or is none. One that is
// longer than most is an error.
func (s *Set) Content(c Change, most int64) (before, after []byte, err error) {
	source, err := s.source()
	if err != nil {
		return nil, nil, err
	}
	defer source.Close() //nolint:errcheck // nothing was written
	up, err := os.OpenRoot(s.upper())
	if err != nil {
		return nil, nil, err
	}
	defer up.Close() //nolint:errcheck // nothing was written
	if c.What != Added {
		if before, err = content(source, c.Path, most); err != nil {
			return nil, nil, err
		}
	}
	if c.What != Removed {
		after, err = content(up, c.Path, most)
	}
	return before, after, err
}

func content(root *os.Root, name string, most int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	if info.Size() > most {
		return nil, ErrLong
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
