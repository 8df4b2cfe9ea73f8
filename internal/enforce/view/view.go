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
	real, links, err := walk(p)
	if err != nil {
		return enforce.Object{}, err
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return enforce.Object{}, &fs.PathError{Op: "open", Path: real, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return enforce.Object{}, &fs.PathError{Op: "stat", Path: real, Err: err}
	}
	return enforce.Object{Path: real, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Dev: st.Dev, Ino: st.Ino, Names: uint64(st.Nlink), Links: links}, nil
}

// walk follows every symbolic link of p.
func walk(p string) (real string, links []enforce.Link, err error) {
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
		if errors.Is(err, unix.EINVAL) { // not a link
			real = next
			continue
		}
		if err != nil {
			return "", nil, err
		}
		if links = append(links, enforce.Link{Path: next, Target: target}); len(links) > maxLinks {
			return "", nil, &fs.PathError{Op: "resolve", Path: p, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, links, nil
}
