// Package view finds on the host what a sandbox's private view shows: the
// objects that path capabilities reach, the system's programs and libraries,
// and what is needed to start a program.
//
// It reads the host and changes nothing. What it finds is plain data; the
// plan names each object by its path without symbolic links and by device and
// inode, and the tier compares both when it mounts.
//
// Layer: a mechanism beside landlock, seccomp, namespace and cgroup.
package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// maxLinks is the kernel's own bound on symbolic links in one walk (path_resolution(7)).
const maxLinks = 40

// Resolve finds the object at an absolute path. The links on the way are in
// the result, in the order in which the walk met them.
//
// Security: the object is opened once more without following any link, so that
// the result names what is really there; whoever mounts it compares device and
// inode.
func Resolve(p string) (enforce.Object, error) {
	if path.IsAbs(p) { // most paths have no link, and opening one says so
		if o, err := at(path.Clean(p), nil); err == nil {
			return o, nil
		}
	}
	real, links, err := walk(p)
	if err != nil {
		return enforce.Object{}, err
	}
	return at(real, links)
}

// at is the object at real, which has no links.
func at(real string, links []enforce.Link) (enforce.Object, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return enforce.Object{}, &fs.PathError{Op: "open", Path: real, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return enforce.Object{}, &fs.PathError{Op: "stat", Path: real, Err: err}
	}
	return enforce.Object{Path: real, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Socket: st.Mode&unix.S_IFMT == unix.S_IFSOCK, Dev: st.Dev, Ino: st.Ino, Names: uint64(st.Nlink), Links: links}, nil
}

// Names are the spellings of p that whoever may change a folder could give
// another meaning: for each symbolic link on the way its own place, without
// links, with what was still to walk. The last one has no links: where p leads
// to now. What does not exist is taken as it is written, so that a name can be
// closed before there is anything.
//
// Security: a denial that is kept for all of them cannot be got around by
// putting another link in the place of one.
func Names(p string) (names []string, err error) {
	w := walker{absent: true, met: func(link string, rest []string) {
		if slices.Contains(rest, "..") { // of a link's target: only the link itself has a name
			rest = nil
		}
		names = append(names, path.Join(link, path.Join(rest...)))
	}}
	real, _, err := w.walk(p)
	if err != nil {
		return nil, err
	}
	names = append(names, real)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// walk follows every symbolic link of p.
func walk(p string) (real string, links []enforce.Link, err error) { return (&walker{}).walk(p) }

// A walker follows symbolic links.
type walker struct {
	absent bool                             // what does not exist, or is out of reach, is no error and no link
	met    func(link string, rest []string) // told of each link and what is behind it; may be nil
}

func (w *walker) walk(p string) (real string, links []enforce.Link, err error) {
	if !path.IsAbs(p) {
		return "", nil, fmt.Errorf("resolve %q: not an absolute path", p)
	}
	real, rest := "/", strings.Split(path.Clean(p), "/")
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		if name == ".." { // of a link's target; real has no links, so its parent is the parent
			real = path.Dir(real)
			continue
		}
		next := path.Join(real, name)
		target, err := os.Readlink(next)
		if errors.Is(err, unix.EINVAL) || err != nil && w.absent { // not a link
			real = next
			continue
		}
		if err != nil {
			return "", nil, err
		}
		if links = append(links, enforce.Link{Path: next, Target: target}); len(links) > maxLinks {
			return "", nil, &fs.PathError{Op: "resolve", Path: p, Err: unix.ELOOP}
		}
		if w.met != nil {
			w.met(next, rest)
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, links, nil
}
