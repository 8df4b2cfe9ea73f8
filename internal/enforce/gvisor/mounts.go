//go:build linux

package gvisor

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// stepProc is a step that explain looks for.
const stepProc = "mount a fresh /proc"

const noSlot = namespace.Slot(-1)

// buildView adds the calls that make the outer view and enter it: the plan's view
// beneath wire.View, and what the runtime itself needs.
//
// Security: each object of the host is opened without following links and its
// device and inode are compared with those that were decided about, before it
// is mounted with its rights; all of them before anything is attached.
func (b *builder) buildView(spec []byte) error {
	l := b.list
	b.root = row.NewMount(b.list, "make the outer view", "tmpfs", unix.MOUNT_ATTR_NOEXEC, [2]string{"size", "64m"}, [2]string{"mode", "0755"})
	view, entries := b.trap, b.plan.View
	if b.plan.Trapped() {
		_, entries = b.plan.Skeleton() // the trap has the other names
	} else {
		view = row.NewMount(b.list, "make the view", "tmpfs", unix.MOUNT_ATTR_NOATIME, [2]string{"size", "4m"}, [2]string{"mode", "0755"})
	}
	b.nothing = b.emptyFile()
	shown := onHost(entries)
	mounts := make([]namespace.Slot, len(shown))
	for i := range row.Order(shown) {
		mounts[i] = b.detached(shown[i])
	}
	null := row.Bind(b.list, enforce.Entry{Op: enforce.OpBind, Source: "/dev/null", Device: true})
	proc := row.NewMount(b.list, stepProc, "proc", unix.MOUNT_ATTR_NOEXEC)
	// All sources are open: from here on the host's tree may be covered.
	row.Move(b.list, "place the outer view", b.root, namespace.CWD, "/proc")
	root := namespace.Result(b.root)
	for _, d := range []string{"proc", "dev", "tmp", "etc", "run", rel(wire.Bundle), rel(wire.State), rel(wire.View)} {
		l.Call("make /"+d, unix.SYS_MKDIRAT, root, l.Str(d), num(0o755))
	}
	b.file(root, rel(wire.Bundle)+"/config.json", 0o600, spec)
	b.file(root, "dev/null", 0o644, nil)
	row.Move(b.list, "show /dev/null", null, root, "dev/null")
	row.Move(b.list, "show /proc", proc, root, "proc")
	row.Move(b.list, "place the view", view, root, rel(wire.View))
	for i, e := range shown {
		b.place(e, view, mounts[i])
	}
	for i, e := range shown {
		if e.Op == enforce.OpTmpfs && !e.Write {
			row.ReadOnly(b.list, "close "+e.Path, mounts[i])
		}
	}
	row.ReadOnly(b.list, "close the view's root", view)
	l.Call("enter the outer view", unix.SYS_FCHDIR, root)
	l.Call("enter the outer view", unix.SYS_PIVOT_ROOT, l.Str("."), l.Str("."))
	l.Call("leave the host's tree", unix.SYS_UMOUNT2, l.Str("."), num(unix.MNT_DETACH))
	l.Call("enter the outer view", unix.SYS_CHDIR, l.Str("/"))
	return nil
}

func rel(p string) string { return strings.TrimPrefix(p, "/") }

// onHost are the entries of a view that are made by the host's mounts. Devices
// and /proc are the sentry's own, and so are their masks; a place where the
// program may write things that are gone at the end is the sentry's memory, and
// here only what mounts beneath it stand on.
func onHost(view []enforce.Entry) (all []enforce.Entry) {
	for _, e := range view {
		switch {
		case e.Op == enforce.OpProc || e.Op == enforce.OpDevpts || e.Device:
		case within(e.Path, "/proc") || within(e.Path, "/dev"):
		default:
			all = append(all, e)
		}
	}
	return all
}

// within reports whether p is dir or beneath it, by whole components.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") //nolint:forbidigo // the separator is part of the prefix
}

// detached makes the mount that e puts into the view, not yet attached.
func (b *builder) detached(e enforce.Entry) namespace.Slot {
	switch e.Op {
	case enforce.OpBind:
		return row.Bind(b.list, e)
	case enforce.OpTmpfs:
		return row.NewMount(b.list, "make "+e.Path, "tmpfs", row.NoExec(e), [2]string{"size", strconv.FormatInt(e.Size, 10)}, [2]string{"mode", fmt.Sprintf("%#o", e.Mode)})
	case enforce.OpMask:
		if e.Dir {
			return row.NewMount(b.list, "mask "+e.Path, "tmpfs", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOEXEC, [2]string{"size", "4k"}, [2]string{"mode", "0"})
		}
		return b.clone("mask "+e.Path, b.nothing)
	case enforce.OpOverlay:
		return row.Overlay(b.list, e)
	case enforce.OpAppend:
		return row.Zone(b.list, b.child, idsOf(b.plan), e)
	case enforce.OpDir, enforce.OpFile, enforce.OpLink, enforce.OpProc, enforce.OpDevpts, enforce.OpTrap, enforce.OpStored, enforce.OpBounded:
	}
	return noSlot
}

// idsOf are the user's as the outer mounts have them: root's are made with every id,
// another user's where that user is root.
func idsOf(p enforce.Plan) row.IDs { return row.IDs{Single: p.UID != 0, Late: true} }

// emptyFile makes the file that stands for every masked one. The sentry would show
// a device as its own of that number, so it is an ordinary file that nobody may
// open: a program has no capability to overrule its mode.
func (b *builder) emptyFile() namespace.Slot {
	l := b.list
	const what = "make a mask"
	mount := row.NewMount(b.list, what, "tmpfs", unix.MOUNT_ATTR_NOEXEC, [2]string{"size", "4k"}, [2]string{"mode", "0"})
	b.file(namespace.Result(mount), "nothing", 0, nil)
	file := l.NewSlot()
	l.Call(what, unix.SYS_OPENAT, namespace.Result(mount), l.Str("nothing"), num(unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)).Keep(file)
	return file
}

// clone makes a read-only mount of what an O_PATH descriptor stands for.
func (b *builder) clone(what string, of namespace.Slot) namespace.Slot {
	l := b.list
	fd := l.NewSlot()
	l.Call(what, unix.SYS_OPEN_TREE, namespace.Result(of), l.Str(""), namespace.N(uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))).Keep(fd)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
	l.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(fd), l.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(l, attr), num(row.AttrSize))
	return fd
}

// place puts e at its path beneath the view's root.
func (b *builder) place(e enforce.Entry, view, fd namespace.Slot) {
	l := b.list
	root, at := namespace.Result(view), rel(e.Path)
	what := "make " + e.Path
	switch e.Op {
	case enforce.OpDir:
		l.Call(what, unix.SYS_MKDIRAT, root, l.Str(at), namespace.N(e.Mode))
	case enforce.OpLink:
		l.Call(what, unix.SYS_SYMLINKAT, l.Str(e.Source), root, l.Str(at))
	case enforce.OpFile:
		b.file(root, at, e.Mode, e.Content)
	default:
		row.Move(b.list, "show "+e.Path, fd, root, at)
	}
}

// file makes a file with its content.
func (b *builder) file(dir namespace.Arg, at string, mode uint32, content []byte) {
	l := b.list
	file, what := l.NewSlot(), "make "+path.Base(at)
	l.Call(what, unix.SYS_OPENAT, dir, l.Str(at), num(unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC), namespace.N(mode)).Keep(file)
	if len(content) > 0 {
		l.Call(what, unix.SYS_WRITE, namespace.Result(file), l.Bytes(content), num(len(content))).MustYield(uintptr(len(content)))
	}
	l.Call(what, unix.SYS_CLOSE, namespace.Result(file))
}
