package zone

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// nameSeconds is for how long the kernel may keep a name without asking anew. What
// it is told of files it keeps for no time: others may append to them.
const nameSeconds = 1

// at opens what a node is, which has to be what the kernel was told of.
//
// Security: beneath the root, through no link and into no other mount. What the
// host has put in its place since is not it (ESTALE).
func (z *Zone) at(n *node, flags int) (int, unix.Stat_t, error) {
	fd, err := z.openPath(n.path(), flags)
	if errors.Is(err, unix.ENOENT) && z.config.Change {
		return z.namelessAt(n, flags)
	}
	if err != nil {
		return -1, unix.Stat_t{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return -1, st, err
	}
	if st.Dev != n.dev || st.Ino != n.ino {
		_ = unix.Close(fd)
		return z.namelessAt(n, flags) // its name has something else now
	}
	return fd, st, nil
}

// openPath opens a path beneath the root. A pipe that has a file's place meanwhile
// is not waited for.
func (z *Zone) openPath(rel string, flags int) (int, error) {
	if rel == "." && !z.dir {
		if flags&unix.O_PATH != 0 {
			return unix.FcntlInt(uintptr(z.root), unix.F_DUPFD_CLOEXEC, 0)
		}
		return z.reopen(flags)
	}
	if flags&unix.O_PATH == 0 {
		flags |= unix.O_NONBLOCK
	}
	return unix.Openat2(z.root, rel, &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV})
}

// shown reports whether the zone shows such an object.
func shown(mode uint32) bool {
	return mode&unix.S_IFMT == unix.S_IFDIR || mode&unix.S_IFMT == unix.S_IFREG
}

func (z *Zone) lookup(r fuse.Request, parent *node) ([]byte, error) {
	name, err := r.Name()
	if err != nil {
		return nil, err
	}
	if z.hidden(parent) {
		return nil, unix.EACCES
	}
	st, err := z.child(parent, name)
	if err != nil {
		return nil, err
	}
	return z.enter(parent, name, st)
}

// child looks at a name in a folder.
func (z *Zone) child(parent *node, name string) (st unix.Stat_t, err error) {
	n := node{parent: parent, name: name}
	fd, err := z.openPath(n.path(), unix.O_PATH)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if err := unix.Fstat(fd, &st); err != nil {
		return st, err
	}
	if !shown(st.Mode) {
		return st, unix.ENOENT
	}
	return st, nil
}

// enter answers with a name, which the kernel knows from then on.
func (z *Zone) enter(parent *node, name string, st unix.Stat_t) ([]byte, error) {
	n := z.nodes.enter(parent, name, st.Dev, st.Ino)
	if n == nil {
		return nil, unix.ENFILE
	}
	return fuse.EntryReply(z.attr(n, st), nameSeconds), nil
}

func (z *Zone) getattr(n *node) ([]byte, error) {
	fd, st, err := z.at(n, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	_ = unix.Close(fd) // nothing was written
	return fuse.AttrReply(z.attr(n, st), 0), nil
}

// attr is what is told of a node. Where the mount has no id but one, what belongs to
// others is shown as if it were theirs, and the host's kernel decides when it is opened.
func (z *Zone) attr(n *node, st unix.Stat_t) fuse.Attr {
	a := fuse.Attr{Ino: n.id, Size: uint64(st.Size), Sec: uint64(st.Mtim.Sec), Nsec: uint32(st.Mtim.Nsec),
		Mode: st.Mode &^ (unix.S_ISUID | unix.S_ISGID), UID: st.Uid, GID: st.Gid}
	if z.config.Single {
		a.UID, a.GID = z.config.UID, z.config.GID
	}
	n.told = a.Size
	if z.hidden(n) {
		a.Mode, a.Size, a.Sec, a.Nsec = a.Mode&unix.S_IFMT, 0, 0, 0
	}
	return a
}

// What setattr is asked for (FATTR_ in linux/fuse.h).
const (
	setMode     = 1 << 0
	setUID      = 1 << 1
	setGID      = 1 << 2
	setSize     = 1 << 3
	setTimes    = 1<<4 | 1<<5
	setTimesNow = 1<<7 | 1<<8
	setHandle   = 1 << 6
	setLock     = 1 << 9 // whose lock it is
	setattrSize = 88

	setAccessTime, setAccessTimeNow = 1 << 4, 1 << 7 // and of changes, one bit above each
)

// setattr takes what changes nothing: the size and the owner that a file has already,
// and now as its time, which appending gives it too.
func (z *Zone) setattr(r fuse.Request, n *node) ([]byte, error) {
	if len(r.Body) < setattrSize {
		return nil, fuse.ErrMalformed
	}
	valid, size := wire.Uint32(r.Body), wire.Uint64(r.Body[16:])
	fd, st, err := z.at(n, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if z.denied(n) != nil {
		return nil, unix.EACCES
	}
	a := z.attr(n, st)
	now := valid&setTimes != 0 && valid&setTimes<<3 == valid&setTimesNow
	switch {
	case valid&^(setUID|setGID|setSize|setTimes|setTimesNow|setHandle|setLock) != 0,
		valid&setUID != 0 && wire.Uint32(r.Body[76:]) != a.UID,
		valid&setGID != 0 && wire.Uint32(r.Body[80:]) != a.GID,
		valid&setSize != 0 && size != a.Size,
		valid&setTimes != 0 && !now:
		return nil, unix.EPERM
	case now && valid&setSize == 0:
		if err := touch(fd); err != nil {
			return nil, err
		}
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, err
		}
	}
	return fuse.AttrReply(z.attr(n, st), 0), nil
}

// touch gives a file the time that it is.
func touch(fd int) error {
	now, err := unix.TimeToTimespec(time.Now())
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(fd, "", []unix.Timespec{now, now}, unix.AT_EMPTY_PATH)
}
