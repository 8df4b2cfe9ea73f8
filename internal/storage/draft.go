package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Draft is what is about to be a version of a key. It is used by one goroutine.
type Draft struct {
	space *Space
	key   string
	base  int64 // the version that it began with; 0: none
	file  *os.File
	size  int64
	dirty bool // what was written may not be on the disk
}

// Draft begins a version of a key, empty or, with old, with what is current.
//
// Security: it is locked for as long as its writer lives, so that one that is left is
// known.
func (s *Space) Draft(key string, old bool) (d *Draft, err error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, draftsDir), "draft-")
	if err != nil {
		return nil, fmt.Errorf("write the stored value %s: %w", key, err)
	}
	d = &Draft{space: s, key: key, file: f}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = d.begin(old)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write the stored value %s: %w", key, err), d.Drop())
	}
	return d, nil
}

func (d *Draft) begin(old bool) error {
	f, v, err := d.space.Open(d.key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if d.base = v.Number; !old {
		return nil
	}
	d.dirty = true
	d.size, err = io.Copy(d.file, f)
	return err
}

// Base is the version that was current when it began; 0 where there was none.
func (d *Draft) Base() int64 { return d.base }

// Size is how long it is.
func (d *Draft) Size() int64 { return d.size }

// ReadAt reads of it.
func (d *Draft) ReadAt(b []byte, off int64) (int, error) { return d.file.ReadAt(b, off) }

// WriteAt writes into it, up to what a value may have.
func (d *Draft) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > d.space.limits.Value || int64(len(b)) > d.space.limits.Value-off {
		return 0, ErrLarge
	}
	d.dirty = true
	n, err := d.file.WriteAt(b, off)
	d.size = max(d.size, off+int64(n))
	return n, err
}

// Truncate gives it a length.
func (d *Draft) Truncate(size int64) error {
	if size < 0 || size > d.space.limits.Value {
		return ErrLarge
	}
	d.dirty = true
	err := d.file.Truncate(size)
	if err == nil {
		d.size = size
	}
	return err
}

// Seal has what was written be on the disk, and finds whether there is room for it:
// the errors that a commit would have, as far as they are known before.
func (d *Draft) Seal() error {
	if err := d.sync(); err != nil {
		return fmt.Errorf("write the stored value %s: %w", d.key, err)
	}
	all, err := d.space.List()
	if err != nil {
		return err
	}
	_, err = d.space.fit(all, d.key, Version{Size: d.size})
	return err
}

func (d *Draft) sync() error {
	if !d.dirty {
		return nil
	}
	err := d.file.Sync()
	d.dirty = err != nil
	return err
}

func (d *Draft) digest() (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(d.file, 0, d.size)); err != nil {
		return "", err
	}
	return digestPrefix + hex.EncodeToString(h.Sum(nil)), nil
}

// Drop forgets it.
func (d *Draft) Drop() error {
	err := os.Remove(d.file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was committed
	}
	return errors.Join(err, d.file.Close())
}

// sweepDrafts removes what writers left that are gone. The space is locked, or not
// known to anybody else yet.
func (s *Space) sweepDrafts() error {
	dir := filepath.Join(s.dir, draftsDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		// Who has just made one may not have locked it yet: it is gone then, and its
		// commit fails.
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = os.Remove(path)
		}
		if err = errors.Join(err, f.Close()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
