//go:build linux

package changes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The directories that the kernel needs, in that of a set, and what is known of it.
const (
	upper    = "upper"
	work     = "work"
	metaFile = "changes.json"
)

// Meta is what a set of changes is of.
type Meta struct {
	Session string    `json:"session"`
	Source  string    `json:"source"` // the directory, on the host
	Target  string    `json:"target"` // where the session had it
	Dev     uint64    `json:"dev"`
	Ino     uint64    `json:"ino"`
	Began   time.Time `json:"began"` // by the clock of file systems
}

// A Set is the changes of one session in one directory.
type Set struct {
	Meta
	dir string
}

// Make makes the directory for the changes of a session. It is empty or not there.
func Make(dir string, m Meta) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{upper, work} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	// The view's directory has the mode of the one for its changes.
	info, err := os.Stat(m.Source)
	if err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(dir, upper), info.Mode().Perm()); err != nil {
		return err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	m.Began = time.Unix(now.Unix()).UTC()
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, metaFile), append(text, '\n'), 0o600)
}

// Open opens the changes in a directory that Make has made.
func Open(dir string) (*Set, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, err
	}
	s := &Set{dir: dir}
	if err := json.Unmarshal(text, &s.Meta); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), err)
	}
	if !filepath.IsAbs(s.Source) || s.Session == "" || s.Began.IsZero() {
		return nil, fmt.Errorf("%s: it does not say what was changed", filepath.Join(dir, metaFile))
	}
	return s, nil
}

// Drop forgets the changes.
func (s *Set) Drop() error {
	if err := s.recover(); err != nil {
		return err
	}
	return remove(s.dir)
}

// Discard removes a directory that Make made, whether or not it got that far.
func Discard(dir string) error { return remove(dir) }

// remove removes a directory in which the kernel and the program have left some that
// cannot be read.
func remove(dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	if err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = root.Chmod(name, 0o700) // before it is read
		}
		return err
	}); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// source opens the directory, and makes sure that it is the one that the session had.
func (s *Set) source() (*os.Root, error) {
	root, err := os.OpenRoot(s.Source)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = control(root, func(fd int) error { return unix.Fstat(fd, &st) })
	if err == nil && (st.Dev != s.Dev || st.Ino != s.Ino) {
		err = fmt.Errorf("%q is another directory than the session had", s.Source)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// control calls do with a descriptor of a root.
func control(root *os.Root, do func(fd int) error) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}
