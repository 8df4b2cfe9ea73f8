package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// disk is every change that this package makes to a file system. Tests put
// another in its place, to fail or to stop between any two changes.
type disk interface {
	Create(path string, perm os.FileMode) (*os.File, error) // fails if it exists
	WriteAt(f *os.File, b []byte, offset int64) error
	Truncate(f *os.File, size int64) error
	Sync(f *os.File) error // returns when the content is durable
	Rename(from, to string) error
	Remove(path string) error
	Mkdir(dir string) error
	SyncDir(dir string) error
}

// osDisk is the disk of the host.
type osDisk struct{}

func (osDisk) Create(path string, perm os.FileMode) (*os.File, error) {
	return openFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

func (osDisk) WriteAt(f *os.File, b []byte, offset int64) error {
	_, err := f.WriteAt(b, offset)
	return err
}

func (osDisk) Truncate(f *os.File, size int64) error { return f.Truncate(size) }
func (osDisk) Sync(f *os.File) error                 { return syncData(f) }
func (osDisk) Rename(from, to string) error          { return os.Rename(from, to) }
func (osDisk) Remove(path string) error              { return os.Remove(path) }
func (osDisk) Mkdir(dir string) error                { return os.Mkdir(dir, 0o700) }

func (osDisk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// openFile opens a file of the log; a symbolic link in its place is an error.
func openFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag|syscall.O_NOFOLLOW, perm)
}

// readAll reads f to its end, which comes within limit bytes or is an error.
func readAll(f io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return b, err
}

// readFile reads a small file of the log.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return b, nil
}

// placeFile makes a file with its whole content, durable, or not at all. A
// leftover of an earlier try is replaced; the caller holds the lock.
func placeFile(d disk, path string, content []byte, perm os.FileMode) error {
	temp := path + ".new"
	if err := d.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := d.Create(temp, perm)
	if err != nil {
		return err
	}
	if err := errors.Join(d.WriteAt(f, content, 0), d.Sync(f), f.Close()); err != nil {
		return fmt.Errorf("write %q: %w", temp, err)
	}
	if err := d.Rename(temp, path); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// makeDir makes dir and what lacks above it, each durable in its parent.
func makeDir(d disk, dir string) error {
	err := d.Mkdir(dir)
	switch {
	case errors.Is(err, os.ErrExist):
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%q is not a folder", dir)
		}
		return err
	case errors.Is(err, os.ErrNotExist) && filepath.Dir(dir) != dir:
		if err := makeDir(d, filepath.Dir(dir)); err != nil {
			return err
		}
		if err = d.Mkdir(dir); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	case err != nil:
		return err
	}
	return d.SyncDir(filepath.Dir(dir))
}

// bug marks what cannot happen.
func bug(err error) error { return fmt.Errorf("internal error: %w", err) }
