//go:build linux

package row

import (
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
)

// AttrSize is MOUNT_ATTR_SIZE_VER0, the size of a unix.MountAttr.
const AttrSize = 32

// NoExec is the attribute of a mount from which nothing may be executed, where that
// is so.
func NoExec(e enforce.Entry) int {
	if e.Exec {
		return 0
	}
	return unix.MOUNT_ATTR_NOEXEC
}

// NewMount makes a fresh file system, detached.
func NewMount(l *namespace.List, what, kind string, attr int, options ...[2]string) namespace.Slot {
	fs, fd := l.NewSlot(), l.NewSlot()
	l.Call(what, unix.SYS_FSOPEN, l.Str(kind), num(unix.FSOPEN_CLOEXEC)).Keep(fs)
	for _, o := range options {
		if o[1] == "" {
			l.Call(what, unix.SYS_FSCONFIG, namespace.Result(fs), num(unix.FSCONFIG_SET_FLAG), l.Str(o[0]), num(0), num(0))
			continue
		}
		l.Call(what, unix.SYS_FSCONFIG, namespace.Result(fs), num(unix.FSCONFIG_SET_STRING), l.Str(o[0]), l.Str(o[1]), num(0))
	}
	l.Call(what, unix.SYS_FSCONFIG, namespace.Result(fs), num(unix.FSCONFIG_CMD_CREATE), num(0), num(0), num(0))
	attr |= unix.MOUNT_ATTR_NOSUID
	if kind != "devpts" {
		attr |= unix.MOUNT_ATTR_NODEV
	}
	l.Call(what, unix.SYS_FSMOUNT, namespace.Result(fs), num(unix.FSMOUNT_CLOEXEC), num(attr)).Keep(fd)
	l.Call(what, unix.SYS_CLOSE, namespace.Result(fs))
	return fd
}

// Bind clones the mounts at the host's object. Recursive: the mounts that a
// less privileged namespace received are locked together, and a part of them
// cannot be had alone.
func Bind(l *namespace.List, e enforce.Entry) namespace.Slot {
	fd := l.NewSlot()
	what := "show " + e.Source
	source := Source(l, e)
	l.Call(what, unix.SYS_OPEN_TREE, namespace.Result(source), l.Str(""), namespace.N(uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE))).Keep(fd)
	l.Call(what, unix.SYS_CLOSE, namespace.Result(source))
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | uint64(NoExec(e)), Propagation: unix.MS_PRIVATE}
	if !e.Write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if !e.Device {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(fd), l.Str(""), num(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), namespace.Pointer(l, attr), num(AttrSize))
	return fd
}

// Source opens the host's object of an entry, without following links.
//
// Security: its device and inode are compared with those that were decided about.
func Source(l *namespace.List, e enforce.Entry) namespace.Slot {
	what := "show " + e.Source
	source := HostPath(l, what, e.Source)
	if e.Ino != 0 {
		got, want := &unix.Stat_t{}, &unix.Stat_t{Dev: e.Dev, Ino: e.Ino}
		l.Call(what, unix.SYS_FSTAT, namespace.Result(source), namespace.Pointer(l, got))
		const identity = 16 // st_dev and st_ino stand first
		l.Equal("show "+e.Source+", which was replaced while launching", namespace.Memory(got)[:identity], namespace.Memory(want)[:identity])
	}
	return source
}

// HostPath opens a path of the host without following links.
func HostPath(l *namespace.List, what, at string) namespace.Slot {
	fd := l.NewSlot()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, namespace.CWD, l.Str(at), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(fd)
	return fd
}

// CopyTree clones the mounts at a path of the mount namespace that the row is in.
func CopyTree(l *namespace.List, path string) namespace.Slot {
	fd := l.NewSlot()
	l.Call("copy "+path, unix.SYS_OPEN_TREE, namespace.CWD, l.Str(path), namespace.N(uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW))).Keep(fd)
	return fd
}

// A Part is a detached mount, and where it comes beneath another one: a path that begins
// with a slash.
type Part struct {
	Mount namespace.Slot
	At    string
}

// PutTogether makes one detached tree of a detached mount and its parts. It does so at /proc
// of the mount namespace that the row is in, where nothing may be mounted that is needed.
func PutTogether(l *namespace.List, what string, tree namespace.Slot, parts []Part) namespace.Slot {
	const here = "/proc"
	Move(l, what, tree, namespace.CWD, here)
	for _, p := range parts {
		Move(l, what, p.Mount, namespace.CWD, here+p.At)
	}
	all := CopyTree(l, here)
	l.Call(what, unix.SYS_UMOUNT2, l.Str(here), num(unix.MNT_DETACH))
	return all
}

// ReadOnly closes a mount that is detached or attached.
func ReadOnly(l *namespace.List, what string, fd namespace.Slot) {
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(fd), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(AttrSize))
}

// Move attaches a detached mount at a path beneath dir.
func Move(l *namespace.List, what string, fd namespace.Slot, dir namespace.Arg, path string) {
	point := l.NewSlot()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	l.Call(what, unix.SYS_OPENAT2, dir, l.Str(path), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(point)
	l.Call(what, unix.SYS_MOVE_MOUNT, namespace.Result(fd), l.Str(""), namespace.Result(point), l.Str(""), num(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(point))
}
