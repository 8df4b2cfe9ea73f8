package storage

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/statefile"
)

func (s *Space) keyFile(key string) string {
	return filepath.Join(s.dir, keysDir, hash(key)+".json")
}

func (s *Space) contents(key string) string { return filepath.Join(s.dir, contentDir, hash(key)) }

// content is where a version of a key lies.
func (s *Space) content(key, digest string) (string, error) {
	sum, ok := strings.CutPrefix(digest, digestPrefix)
	if _, err := hex.DecodeString(sum); !ok || err != nil || len(sum) != 64 {
		return "", fmt.Errorf("%q is no digest", digest)
	}
	return filepath.Join(s.contents(key), sum), nil
}

const digestPrefix = "sha256:"

// Get is a key with its versions; fs.ErrNotExist where it never had any.
func (s *Space) Get(key string) (v Value, err error) {
	if err := CheckKey(key); err != nil {
		return v, err
	}
	v, err = readValue(s.keyFile(key))
	if err == nil && v.Key != key {
		err = errors.New("internal error: it is another key's")
	}
	if err != nil {
		return Value{}, fmt.Errorf("look at the stored value %s: %w", key, err)
	}
	return v, nil
}

func readValue(path string) (v Value, err error) {
	text, err := statefile.Read(path)
	if err != nil {
		return v, err
	}
	return v, statefile.Decode(text, &v)
}

// List are all keys, in their order, also those that have no current version.
func (s *Space) List() (all []Value, err error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, keysDir))
	if err != nil {
		return nil, fmt.Errorf("list what is stored: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue // one that is being written
		}
		v, err := readValue(filepath.Join(s.dir, keysDir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list what is stored: %w", err)
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Value) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// opens is how often a version is looked for that others replace meanwhile.
const opens = 8

// Open opens the current version of a key. It stays what it is, whatever is
// committed meanwhile. fs.ErrNotExist where there is none.
func (s *Space) Open(key string) (*os.File, Version, error) {
	var last error
	for range opens {
		v, err := s.Get(key)
		if err != nil {
			return nil, Version{}, err
		}
		ver, ok := v.Current()
		if !ok {
			return nil, ver, fmt.Errorf("read the stored value %s: %w", key, fs.ErrNotExist)
		}
		f, err := s.OpenVersion(key, ver)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, ver, err
		}
		last = err
	}
	return nil, Version{}, fmt.Errorf("its content is gone (%v)", last) // who reads it shall not take it for a key that is not there
}

// OpenVersion opens one version of a key.
func (s *Space) OpenVersion(key string, v Version) (*os.File, error) {
	if v.Removed {
		return nil, fmt.Errorf("in version %d there is nothing under %s: %w", v.Number, key, fs.ErrNotExist)
	}
	path, err := s.content(key, v.Digest)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read version %d of the stored value %s: %w", v.Number, key, err)
	}
	return f, nil
}

// Bytes are what all versions of a value take.
func (v Value) Bytes() (n int64) {
	seen := map[string]bool{}
	for _, ver := range v.Versions {
		if !ver.Removed && !seen[ver.Digest] {
			n += ver.Size
		}
		seen[ver.Digest] = true
	}
	return n
}
