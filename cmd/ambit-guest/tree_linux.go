package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// tree is a folder, or a single file, that the launcher put here.
type tree struct {
	at     string
	was    map[string]state // as it was put
	stands map[uint64]bool  // by inode: what stands for something that was not given
}

// state tells whether a file was changed since.
type state struct {
	ino          uint64
	size         int64
	ctime, mtime unix.Timespec
}

func treePath(n int) string { return filepath.Join(treesDir, strconv.Itoa(n)) }

// put makes the objects that follow.
func (a *agent) put(s *channel.Stream, n int) error {
	t := &tree{at: treePath(n), was: map[string]state{}, stands: map[uint64]bool{}}
	var dirs []channel.Node
	stands := map[string]bool{}
	err := s.Files(func(n channel.Node, content io.Reader) error {
		if n.Stands {
			stands[n.Path] = true
		}
		if n.Kind == channel.NodeDir {
			dirs = append(dirs, n)
		}
		return t.make(n, content)
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(t.at)) // half of it is of no use
	}
	for _, d := range slices.Backward(dirs) { // what was made in them has changed their times
		if err := finish(filepath.Join(t.at, d.Path), d); err != nil {
			return err
		}
	}
	if err := t.remember(stands); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trees[n] = t
	return nil
}

func (t *tree) make(n channel.Node, content io.Reader) error {
	at := filepath.Join(t.at, n.Path)
	switch n.Kind {
	case channel.NodeDir:
		return os.Mkdir(at, 0o700)
	case channel.NodeLink:
		if err := os.Symlink(n.Target, at); err != nil {
			return err
		}
		return os.Lchown(at, n.UID, n.GID)
	case channel.NodeClosed, channel.NodeFile:
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return finish(at, n)
}

// finish gives an object its owner, mode and time.
func finish(at string, n channel.Node) error {
	if err := os.Chown(at, n.UID, n.GID); err != nil {
		return err
	}
	if err := unix.Chmod(at, n.Mode&0o1777); err != nil {
		return fmt.Errorf("chmod %s: %w", at, err)
	}
	when := time.Unix(0, n.Time)
	return os.Chtimes(at, when, when)
}

func (t *tree) remember(stands map[string]bool) error {
	return t.walk(func(rel, at string, st *unix.Stat_t) error {
		t.was[rel] = stateOf(st)
		if stands[rel] {
			t.stands[st.Ino] = true
		}
		return nil
	})
}

func stateOf(st *unix.Stat_t) state { return state{st.Ino, st.Size, st.Ctim, st.Mtim} }

// errWentAway says that there is more than was visited, or less.
var errWentAway = errors.New("names went away meanwhile")

// walk visits all that there is. Where a name goes away meanwhile it visits all others, and
// says so in the end: what had it may have another one, which was not visited.
func (t *tree) walk(visit func(rel, at string, st *unix.Stat_t) error) error {
	went := false
	err := filepath.WalkDir(t.at, func(at string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(at, &st)
		}
		if err == nil {
			var rel string
			if rel, err = filepath.Rel(t.at, at); err == nil {
				err = visit(rel, at, &st)
			}
		}
		if errors.Is(err, fs.ErrNotExist) && at != t.at {
			went = true
			return nil
		}
		return err
	})
	if err == nil && went {
		err = errWentAway
	}
	return err
}

// stray reports whether something stands for what was not given, elsewhere than where that
// lies: a program has renamed a folder above it. There is nothing to bring back.
func (t *tree) stray(rel string, st *unix.Stat_t) bool {
	return t.stands[st.Ino] && t.was[rel].ino != st.Ino && (st.Size == 0 || st.Mode&unix.S_IFMT == unix.S_IFDIR)
}

// collect sends what is there now: all names, and the content of what was changed. An error
// says that names may lack.
func (a *agent) collect(s *channel.Stream, n int) error {
	a.mu.Lock()
	t, w := a.trees[n], a.written
	a.mu.Unlock()
	if t == nil {
		return fmt.Errorf("there is no folder %d", n)
	}
	if err := w.look(); err != nil {
		return err
	}
	err := t.walk(func(rel, at string, st *unix.Stat_t) error {
		if t.stray(rel, st) {
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				return fs.SkipDir
			}
			return nil
		}
		n := channel.Node{Path: rel, Mode: st.Mode & 0o7777, Time: unix.TimespecToNsec(st.Mtim)}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			n.Kind = channel.NodeDir
			return s.Put(n, nil)
		case unix.S_IFLNK:
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			n.Kind, n.Target = channel.NodeLink, target
			return s.Put(n, nil)
		case unix.S_IFREG:
			n.Kind = channel.NodeFile
		default:
			return nil // a socket or a pipe: it ends with the machine
		}
		if was, ok := t.was[rel]; ok && was == stateOf(st) {
			if n.Opened = w.has(st.Ino); !n.Opened {
				n.Same = true
				return s.Put(n, nil)
			}
		}
		f, err := os.Open(at)
		if err != nil {
			return err
		}
		defer f.Close()
		n.Size = st.Size
		return s.Put(n, f)
	})
	if err != nil && !errors.Is(err, errWentAway) {
		return err
	}
	return errors.Join(s.EndFiles(), err) // then nothing is taken for removed
}
