//go:build linux

package process

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/namespace"
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
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(mount), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(mountAttrSize))
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
