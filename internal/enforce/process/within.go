//go:build linux

package process

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// A place of the sandbox's own, such as its /tmp, may be where the host has a
// socket that is granted. Nothing is there to mount it on.

// pointWithin makes an empty file at p, and the directories above it, in the tmpfs
// that is mounted at root. What is there already stays as it is.
//
// Security: the tmpfs may be the program's to change. It is walked without links
// and without leaving it, by a mount of its own that nobody else has; the
// program's keeps the rights that it has. Should the program change it meanwhile,
// what comes is mounted on nothing, and the touch is refused.
func (b *builder) pointWithin(root, p string) {
	l := b.list
	what := "make " + p
	b.intoSandbox()
	at, mount := l.NewSlot(), l.NewSlot()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(root), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(at)
	l.Call(what, unix.SYS_OPEN_TREE, namespace.Result(at), l.Str(""), namespace.N(uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))).Keep(mount)
	attr := &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(mount), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(row.AttrSize))
	names := strings.Split(strings.TrimPrefix(p, root+"/"), "/")
	dir := mount
	below := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV}
	for _, name := range names[:len(names)-1] {
		l.Call(what, unix.SYS_MKDIRAT, namespace.Result(dir), l.Str(name), num(0o755)).May()
		next := l.NewSlot()
		l.Call(what, unix.SYS_OPENAT2, namespace.Result(dir), l.Str(name), namespace.Pointer(l, below), namespace.N(uint64(unix.SizeofOpenHow))).Keep(next)
		dir = next
	}
	l.Call(what, unix.SYS_MKNODAT, namespace.Result(dir), l.Str(path.Base(p)), num(unix.S_IFREG), num(0)).May()
}

// opened opens a file of the view as the sandbox would, and returns the descriptor.
func (a *attacher) opened(p string, flags uint64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.start(); err != nil {
		return -1, err
	}
	b := &builder{plan: a.plan, list: &namespace.List{}}
	l := b.list
	a.home(b)
	a.inside(b)
	what := "open " + p
	file, id, pid := l.NewSlot(), l.NewSlot(), new(uint64)
	how := &unix.OpenHow{Flags: flags&openFlags | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(p), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(file)
	l.Call(what, unix.SYS_DUP3, namespace.Result(file), num(handedOver), num(unix.O_CLOEXEC))
	l.Call(what, unix.SYS_GETPID).Keep(id)
	l.Store(what, pid, namespace.Result(id))
	a.outside(b)
	if err := a.do(l); err != nil {
		return -1, err
	}
	fds, err := takeFrom(int(*pid), handedOver, 1)
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// openFlags are those of open(2) that say what the descriptor is good for. Others
// are about how the file comes to be, or how its path is walked.
const openFlags = unix.O_ACCMODE | unix.O_APPEND | unix.O_NONBLOCK | unix.O_DSYNC | unix.O_SYNC | unix.O_DIRECT | unix.O_NOATIME

// handedOver is where the worker leaves a descriptor for the launcher; the next row
// closes it.
const handedOver = lastKept + 1
