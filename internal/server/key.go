package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/keep"
)

// keyLasts is how long an idempotency key starts nothing after what it started is gone.
const keyLasts = 7 * 24 * time.Hour

// claimed is the id of the job that a key stands for: this one, or an earlier one
// that was the same.
func (s *Server) claimed(key, id, digest string) (stands string, err error) {
	stands, err = s.claim(key, id)
	if err != nil || stands != id {
		err = errors.Join(err, os.RemoveAll(s.job(id)))
	}
	if err == nil {
		err = s.same(stands, digest)
	}
	return stands, err
}

// keys is where idempotency keys are kept: a file each, with the id of what it started, or
// empty from when that is not kept any more.
func (s *Server) keys() string { return filepath.Join(s.cfg.State, "host", "keys") }

// claim makes a key stand for a session, unless it does for another already.
func (s *Server) claim(key, id string) (stands string, err error) {
	s.shelf.mu.RLock() // it is forgotten before or after
	defer s.shelf.mu.RUnlock()
	sum := sha256.Sum256([]byte(key))
	name := filepath.Join(s.keys(), hex.EncodeToString(sum[:]))
	aside := name + "." + id
	if err := os.WriteFile(aside, []byte(id), 0o600); err != nil {
		return "", err
	}
	err = os.Link(aside, name) // whole or not at all, and the first one stands
	if err = errors.Join(err, os.Remove(aside)); err == nil {
		return id, nil
	}
	if !errors.Is(err, os.ErrExist) {
		return "", err
	}
	was, err := os.ReadFile(name)
	return string(was), err
}

// same refuses a key that came with another request before.
func (s *Server) same(id, digest string) error {
	if id == "" {
		return errNotKept()
	}
	j, err := keep.Load(s.job(id))
	if errors.Is(err, os.ErrNotExist) {
		return errNotKept()
	}
	if err == nil && j.Digest != digest {
		return connect.NewError(connect.CodeAlreadyExists, errors.New("the idempotency key came with another request before"))
	}
	return err
}

func errNotKept() error {
	return unmet("what was started with this idempotency key is not kept any more")
}

// stillKept refuses a key whose job was removed since it was found. From now on it is held.
func (s *Server) stillKept(id, key string) error {
	if key == "" {
		return nil
	}
	_, err := keep.Load(s.job(id))
	if errors.Is(err, os.ErrNotExist) {
		return errNotKept()
	}
	return err
}

// tidyKeys marks keys whose job is gone, and forgets those that were marked long ago. A
// job is there before its key is: one that is missing was removed.
func (s *Server) tidyKeys(ctx context.Context) error {
	all, err := os.ReadDir(s.keys())
	for _, e := range all {
		if ctx.Err() != nil {
			break
		}
		if bad := s.tidyKey(e); !errors.Is(bad, fs.ErrNotExist) { // whoever put it aside has removed it
			err = errors.Join(err, bad)
		}
	}
	return err
}

func (s *Server) tidyKey(e os.DirEntry) error {
	name := filepath.Join(s.keys(), e.Name())
	info, err := e.Info()
	if err != nil {
		return err
	}
	lasts := keyLasts
	switch aside := filepath.Ext(name) != ""; {
	case aside:
		lasts = givenUpAfter
	case info.Size() > 0:
		id, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(s.job(string(id))); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Truncate(name, 0) // and so it says since when
	}
	if s.cfg.Now().Sub(info.ModTime()) < lasts {
		return nil
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	return os.Remove(name)
}
