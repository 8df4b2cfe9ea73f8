package zone

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// A wanted is what is to be made: its request has flags and mode, or one of them,
// before its name.
type wanted struct {
	name  string
	mode  uint32
	flags uint32
	dir   bool
}

func parseWanted(r fuse.Request) (w wanted, err error) {
	head := map[fuse.Operation]int{fuse.OpCreate: 16, fuse.OpMknod: 16, fuse.OpMkdir: 8}[r.Op]
	if len(r.Body) < head {
		return w, fuse.ErrMalformed
	}
	switch w.mode = wire.Uint32(r.Body); r.Op {
	case fuse.OpCreate:
		w.flags, w.mode = w.mode, wire.Uint32(r.Body[4:])
	case fuse.OpMkdir:
		w.dir = true
	default:
		if w.mode&unix.S_IFMT != unix.S_IFREG {
			return w, unix.EPERM // devices, pipes, sockets
		}
	}
	w.mode &= 0o777
	r.Body = r.Body[head:]
	w.name, err = r.Name()
	return w, err
}

// create makes a file or folder. What is there already stays as it is, and is
// opened where that was asked for.
func (z *Zone) create(r fuse.Request, parent *node) ([]byte, error) {
	w, err := parseWanted(r)
	if err != nil {
		return nil, err
	}
	n := node{parent: parent, name: w.name}
	if z.denied(&n) != nil {
		return nil, unix.EACCES
	}
	unlock, err := z.together()
	if err != nil {
		return nil, err
	}
	defer unlock()
	fd, err := z.make(w, n.path())
	if errors.Is(err, unix.EEXIST) && r.Op == fuse.OpCreate && w.flags&unix.O_EXCL == 0 {
		return z.createThere(w, parent)
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	z.used.files++
	if err := z.keepTally(); err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, err
	}
	entry, err := z.enter(parent, w.name, st)
	if err != nil || r.Op != fuse.OpCreate {
		_ = unix.Close(fd) // nothing was written
		return entry, err
	}
	return append(entry, fuse.OpenReply(z.keep(fd), fuse.DirectIO)...), nil
}

// make makes what is not there, and opens it. Its folder is opened first, through
// no link, and the name is made in that.
func (z *Zone) make(w wanted, rel string) (int, error) {
	switch {
	case !z.dir:
		return -1, unix.ENOTDIR
	case len(z.handles) >= maxHandles:
		return -1, unix.ENFILE
	case z.config.Files > 0 && z.used.files >= z.config.Files:
		return -1, z.full(&z.fullFiles)
	}
	dir, err := z.openPath(path.Dir(rel), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir) //nolint:errcheck // nothing was written
	if w.dir {
		if err := unix.Mkdirat(dir, w.name, w.mode); err != nil {
			return -1, err
		}
		return z.openPath(rel, unix.O_PATH|unix.O_DIRECTORY)
	}
	flags := unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if access := z.rights(w.flags); access == unix.O_RDONLY && !z.config.Change {
		flags |= unix.O_WRONLY | unix.O_APPEND // whoever made it reads nothing of an empty file
		if z.config.Read {
			flags = flags&^unix.O_WRONLY | unix.O_RDWR
		}
	} else {
		flags |= access
	}
	return unix.Openat(dir, w.name, flags, w.mode)
}

// createThere opens what somebody else has made meanwhile.
func (z *Zone) createThere(w wanted, parent *node) ([]byte, error) {
	st, err := z.child(parent, w.name)
	if err != nil {
		return nil, err
	}
	entry, err := z.enter(parent, w.name, st)
	if err != nil {
		return nil, err
	}
	n := z.nodes.at[place{parent.id, w.name}]
	opened, err := z.handle(n, z.rights(w.flags))
	if err != nil {
		z.nodes.forget(n.id, 1)
		return nil, err
	}
	return append(entry, opened...), nil
}
