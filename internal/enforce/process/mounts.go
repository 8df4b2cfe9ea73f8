//go:build linux

package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// buildView adds the calls that make the private view and enter it.
//
// Security: each object of the host is opened without following links and its
// device and inode are compared with those that were decided about, before it
// is mounted; mount points are opened beneath the view's root without
// following links. The root is read-only in the end, so nothing that a program
// writes can be lost in it.
func (b *builder) buildView() error {
	entries := b.plan.View
	if left, ok := b.ahead.whole(b.plan); ok {
		b.whole = true
		return b.addToView(left)
	}
	if b.ahead != nil && b.ahead.stand != nil {
		b.ahead = nil // what stands is another view
	}
	if b.plan.Trapped() { // its root is there
		_, entries = b.plan.Skeleton()
	} else if root, left, ok := b.ahead.root(b.list, b.plan); ok {
		b.root, entries = root, left
	} else {
		b.root = b.newRoot()
	}
	mounts, within := make([]namespace.Slot, len(entries)), namesWithin(entries)
	for i := range row.Order(entries) {
		e := entries[i]
		if fd, ok := b.ahead.mount(b.list, e, within[e.Path]); ok {
			mounts[i] = fd
			continue
		}
		fd, err := b.detached(e)
		if err != nil {
			return err
		}
		mounts[i] = fd
	}
	// All sources are open: from here on the host's tree may be covered.
	b.placeRoot()
	if b.plan.Trapped() {
		b.listRoot()
	}
	for i, e := range entries {
		if !b.ahead.has(e) {
			b.place(e, mounts[i])
		}
	}
	for i, e := range entries {
		b.closeMount(e, mounts[i])
	}
	row.ReadOnly(b.list, "close the view's root", b.root)
	b.enterView()
	return nil
}

// viewAt is where the view lies on the host's tree until it is entered.
const viewAt = "/proc"

// placeRoot attaches the view's root, so that something can be attached to it.
func (b *builder) placeRoot() { row.Move(b.list, "place the view", b.root, namespace.CWD, viewAt) }

// closeMount has a file system of the view's own be as full as it is now.
func (b *builder) closeMount(e enforce.Entry, fd namespace.Slot) {
	if e.Op == enforce.OpTmpfs && !e.Write {
		row.ReadOnly(b.list, "close "+e.Path, fd)
	}
}

// enterView makes the view's root the only one. Who stands in the old root stands in
// the new one then: to go there by itself each time asks the trap.
func (b *builder) enterView() {
	l := b.list
	l.Call("enter the view", unix.SYS_CHDIR, l.Str("/"))
	l.Call("enter the view", unix.SYS_PIVOT_ROOT, l.Str(viewAt), l.Str(viewAt))
	l.Call("leave the host's tree", unix.SYS_UMOUNT2, l.Str("."), num(unix.MNT_DETACH))
}

// newRoot makes the root of a view that has no trap.
func (b *builder) newRoot() namespace.Slot {
	// Without times of access: on a read-only mount they would have to be
	// written at each walk through a link, and that is no walk in memory.
	return row.NewMount(b.list, "make the view", "tmpfs", unix.MOUNT_ATTR_NOATIME, [2]string{"size", "4m"}, [2]string{"mode", "0755"})
}

// ids are the user's in the namespace that makes the mounts: of root everything is
// shown as it is, for its mounts have every id.
func (b *builder) ids() row.IDs {
	return row.IDs{UID: b.plan.UID, GID: b.plan.GID, Single: b.plan.UID != 0}
}

// trapMount makes the root of a view that asks.
func (b *builder) trapMount() namespace.Slot {
	return row.Served(b.list, b.child, b.ids(), "make the trap", 0, "40000")
}

// stored makes the mount of what outlives the session. What may be done with it its
// server says; by modes the kernel looks only where it has asked for them, and a folder
// of which it knows no owner yet nobody may write to.
func (b *builder) stored(e enforce.Entry) namespace.Slot {
	return row.Served(b.list, b.child, b.ids(), "make "+e.Path, unix.MOUNT_ATTR_NOEXEC, "40000", [2]string{"default_permissions"})
}

// listRoot has the kernel know the names of the trap's root: what is placed there, and
// every start of a program, walks through them, and a request for each name would take as
// long as one for all.
func (b *builder) listRoot() {
	const what, room = "list the view's root", 64 // what has no room here the kernel knows all the same
	l := b.list
	dir := l.NewSlot()
	l.Call(what, unix.SYS_OPENAT, namespace.Result(b.root), l.Str("."), num(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)).Keep(dir)
	l.Call(what, unix.SYS_GETDENTS64, namespace.Result(dir), l.Bytes(make([]byte, room)), num(room))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(dir))
}

const noSlot = namespace.Slot(-1)

// detached makes the mount that e puts into the view, not yet attached.
func (b *builder) detached(e enforce.Entry) (namespace.Slot, error) {
	switch e.Op {
	case enforce.OpDir, enforce.OpFile, enforce.OpLink:
		return noSlot, nil
	case enforce.OpBind:
		return row.Bind(b.list, e), nil
	case enforce.OpOverlay:
		return row.Overlay(b.list, e), nil
	case enforce.OpAppend, enforce.OpBounded:
		return row.Zone(b.list, b.child, b.ids(), e), nil
	case enforce.OpStored:
		return b.stored(e), nil
	case enforce.OpTmpfs:
		return row.NewMount(b.list, "make "+e.Path, "tmpfs", row.NoExec(e),
			[2]string{"size", strconv.FormatInt(e.Size, 10)}, [2]string{"mode", fmt.Sprintf("%#o", e.Mode)}), nil
	case enforce.OpProc:
		// Read-only: to a uid 0 without capabilities the kernel still lets its
		// settings be written by the file's mode alone.
		return row.NewMount(b.list, stepProc, "proc", unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_RDONLY), nil
	case enforce.OpDevpts:
		return row.NewMount(b.list, "mount /dev/pts", "devpts", unix.MOUNT_ATTR_NOEXEC, [2]string{"mode", "0620"}, [2]string{"ptmxmode", "0666"}), nil
	case enforce.OpTrap:
		return noSlot, errors.New("internal error: a trap beneath the view's root")
	case enforce.OpMask:
		if e.Dir {
			return row.NewMount(b.list, "mask "+e.Path, "tmpfs", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOEXEC, [2]string{"size", "4k"}, [2]string{"mode", "0"}), nil
		}
		// A device file on a mount without devices cannot be opened.
		return row.Bind(b.list, enforce.Entry{Op: enforce.OpBind, Path: e.Path, Source: "/dev/null"}), nil
	}
	return noSlot, fmt.Errorf("internal error: view entry %q at %q", e.Op, e.Path)
}

// place puts e at its path in the view.
func (b *builder) place(e enforce.Entry, fd namespace.Slot) {
	b.placeIn(b.root, strings.TrimPrefix(e.Path, "/"), e, fd)
}

// placeIn puts e at a path beneath the root of a mount.
func (b *builder) placeIn(mount namespace.Slot, rel string, e enforce.Entry, fd namespace.Slot) {
	l, root := b.list, namespace.Result(mount)
	what := "make " + e.Path
	switch e.Op {
	case enforce.OpDir:
		l.Call(what, unix.SYS_MKDIRAT, root, l.Str(rel), namespace.N(e.Mode))
	case enforce.OpLink:
		l.Call(what, unix.SYS_SYMLINKAT, l.Str(e.Source), root, l.Str(rel))
	case enforce.OpFile:
		file := l.NewSlot()
		l.Call(what, unix.SYS_OPENAT, root, l.Str(rel), num(unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC), namespace.N(e.Mode)).Keep(file)
		if len(e.Content) > 0 {
			l.Call(what, unix.SYS_WRITE, namespace.Result(file), l.Bytes(e.Content), num(len(e.Content))).MustYield(uintptr(len(e.Content)))
		}
		l.Call(what, unix.SYS_CLOSE, namespace.Result(file))
	default:
		row.Move(b.list, "show "+e.Path, fd, root, rel)
	}
}
