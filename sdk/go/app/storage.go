package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ambit.dev/ambit/internal/core/capability"
)

// storageDir is where a sandbox has what outlives it.
const storageDir = "/ambit/storage"

// A Stored is a value that outlives the session, under a key of the pack's own.
type Stored struct {
	key string
	dir string
	set Set
}

// Storage is the value under a key, of which Get needs storage.read:KEY and Put and
// Remove storage.write:KEY in the set.
func (s Set) Storage(key string) Stored { return Stored{key, storageDir, s} }

// path is the file of the value, where the set has the right.
func (v Stored) path(k capability.Kind) (string, error) {
	c, err := capability.Parse(string(k) + ":" + v.key)
	if err != nil {
		return "", err
	}
	if c.Scope() != v.key {
		return "", fmt.Errorf("%s names many values, not one", c.Display())
	}
	if !v.set.Covers(c) {
		return "", fmt.Errorf("%s: %w", c.Display(), ErrBeyond)
	}
	return filepath.Join(v.dir, filepath.FromSlash(v.key)), nil
}

// Get is the whole value as it was committed last; fs.ErrNotExist where there is none,
// or none that was granted.
func (v Stored) Get() ([]byte, error) {
	path, err := v.path(capability.StorageRead)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Put commits a value as a whole. With an error what was there before stays.
func (v Stored) Put(value []byte) error {
	path, err := v.path(capability.StorageWrite)
	if err != nil {
		return err
	}
	if dir := filepath.Dir(path); dir != v.dir {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	return errors.Join(err, f.Close()) // a close is the commit, and says what fails of it
}

// Remove commits that there is nothing under the key; that is so where there was
// nothing before. A person can bring it back.
func (v Stored) Remove() error {
	path, err := v.path(capability.StorageWrite)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
