package main

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// exchange puts what a tree is in the place of what another one has at rel, and that in its
// place: whoever has either of them open goes on with it. Done twice it is undone.
func (a *agent) exchange(into int, rel string, n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	whole, part := a.trees[into], a.trees[n]
	if whole == nil || part == nil {
		return fmt.Errorf("there is no folder %d or %d", into, n)
	}
	at := filepath.Join(whole.at, rel)
	before, err := lstat(part.at)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, part.at, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("make it part of %s: %w", at, err)
	}
	after, err := lstat(at)
	if err != nil {
		return err
	}
	was := map[string]state{}
	for p, s := range whole.was {
		if p == rel || strings.HasPrefix(p, rel+"/") {
			delete(whole.was, p)
			was[path.Join(".", strings.TrimPrefix(p[len(rel):], "/"))] = s
		}
	}
	for p, s := range part.was {
		if p == "." && s == before {
			s.ctime = after.ctime // it was renamed, and nothing else
		}
		whole.was[path.Join(rel, p)] = s
	}
	part.was = was
	maps.Copy(whole.stands, part.stands) // of one file system
	maps.Copy(part.stands, whole.stands)
	return nil
}

func lstat(at string) (state, error) {
	var st unix.Stat_t
	err := unix.Lstat(at, &st)
	return stateOf(&st), err
}

// join makes what is moved a part of a tree, and returns descriptors of what is mounted
// there until then. v.mu is held.
func (v *view) join(n int, s *channel.Shown) (parts []int, err error) {
	for i, m := range s.Moved {
		fd, err := v.top(m)
		if err == nil {
			parts = append(parts, fd)
			err = v.exchange(n, m.Path[len(s.Path)+1:], m.Tree)
		}
		if err != nil {
			return nil, errors.Join(err, v.undo(n, s, i, parts))
		}
	}
	return parts, nil
}

// top is a descriptor of what is mounted of a tree.
func (v *view) top(m channel.Moved) (fd int, err error) {
	err = v.inside(func() (err error) {
		fd, err = unix.Open(m.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("find %s: %w", m.Path, err)
	}
	var is, ours unix.Stat_t
	err = errors.Join(unix.Fstat(fd, &is), unix.Lstat(treePath(m.Tree), &ours))
	if err == nil && (is.Dev != ours.Dev || is.Ino != ours.Ino) {
		err = fmt.Errorf("something else is at %s", m.Path)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// undo takes the first ones of what was joined back. v.mu is held.
func (v *view) undo(n int, s *channel.Shown, first int, parts []int) (err error) {
	for _, m := range s.Moved[:first] {
		err = errors.Join(err, v.exchange(n, m.Path[len(s.Path)+1:], m.Tree))
	}
	closeAll(parts)
	return err
}

// part unmounts what is a part of a tree now: it is seen there. Who has it open goes on
// with it, and is found by the mount. v.mu is held.
func (v *view) part(s *channel.Shown, parts []int) error {
	for i, m := range s.Moved {
		v.parted[m.Path] = append(append(v.parted[m.Path], v.mounts[m.Path]...), parts[i])
		delete(v.mounts, m.Path)
		err := v.inside(func() error { return errors.Join(v.unmountEach(v.parted[m.Path]), v.unmount([]string{m.Path})) })
		if err != nil {
			return err
		}
		delete(v.shown, m.Path)
		v.uncovers(m.Path)
		v.trap.Hidden(m.Path)
	}
	return nil
}

// ids are those of the mounts by which what became a part of something may be open, with
// their paths.
func (v *view) ids() (all map[string]string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	all = map[string]string{}
	for p, fds := range v.parted {
		for _, fd := range fds {
			var st unix.Statx_t
			if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
				return nil, err
			}
			all[strconv.FormatUint(st.Mnt_id, 10)] = p
		}
	}
	return all, nil
}
