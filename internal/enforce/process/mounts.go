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
	l := b.list
	entries := b.plan.View
	if b.plan.Trapped() { // its root is there
		_, entries = b.plan.Skeleton()
	} else if root, left, ok := b.ahead.root(b.list, b.plan); ok {
		b.root, entries = root, left
	} else {
		b.root = b.newRoot()
	}
	mounts, within := make([]namespace.Slot, len(entries)), namesWithin(entries)
	for i, e := range entries {
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
	row.Move(b.list, "place the view", b.root, namespace.CWD, "/proc")
	for i, e := range entries {
		if !b.ahead.has(e) {
			b.place(e, mounts[i])
		}
	}
	for i, e := range entries {
		if e.Op == enforce.OpTmpfs && !e.Write {
			row.ReadOnly(b.list, "close "+e.Path, mounts[i])
		}
	}
	row.ReadOnly(b.list, "close the view's root", b.root)
	l.Call("enter the view", unix.SYS_FCHDIR, namespace.Result(b.root))
	l.Call("enter the view", unix.SYS_PIVOT_ROOT, l.Str("."), l.Str("."))
	l.Call("leave the host's tree", unix.SYS_UMOUNT2, l.Str("."), num(unix.MNT_DETACH))
	l.Call("enter the view", unix.SYS_CHDIR, l.Str("/"))
	return nil
}

// newRoot makes the root of a view that has no trap.
func (b *builder) newRoot() namespace.Slot {
	// Without times of access: on a read-only mount they would have to be
	// written at each walk through a link, and that is no walk in memory.
	return row.NewMount(b.list, "make the view", "tmpfs", unix.MOUNT_ATTR_NOATIME, [2]string{"size", "4m"}, [2]string{"mode", "0755"})
}

// fuseDevice is where the row holds the device of a mount that is served from
// outside: the number has to be known when its options are written.
const fuseDevice = 200

// served makes a mount that is served from outside, and hands its device over.
//
// Security: the new process lets go of the device before it walks the first
// path in the view. Were it to hold the device while the launcher dies, the
// connection would never be ended, and its walk neither. The device has to be
// opened in the user namespace that mounts it.
func (b *builder) served(what string, attr int, rootMode string, options ...[2]string) namespace.Slot {
	l := b.list
	dev := l.NewSlot()
	l.Call("open /dev/fuse", unix.SYS_OPENAT, namespace.CWD, l.Str("/dev/fuse"), num(unix.O_RDWR|unix.O_CLOEXEC)).Keep(dev)
	l.Call(what, unix.SYS_DUP3, namespace.Result(dev), num(fuseDevice), num(unix.O_CLOEXEC))
	id := func(n int) string { return strconv.Itoa(n) }
	options = append([][2]string{{"fd", id(fuseDevice)}, {"rootmode", rootMode},
		{"user_id", id(b.plan.UID)}, {"group_id", id(b.plan.GID)}, {"allow_other"}}, options...)
	mount := row.NewMount(b.list, what, "fuse", attr, options...)
	l.Send("hand over what serves it", b.child, dev)
	l.Call(what, unix.SYS_CLOSE, namespace.Result(dev))
	l.Call(what, unix.SYS_CLOSE, num(fuseDevice))
	return mount
}

// trapMount makes the root of a view that asks.
func (b *builder) trapMount() namespace.Slot { return b.served("make the trap", 0, "40000") }

// appendOnly makes the mount of an append-only folder or file. The kernel inside
// looks at modes; what may be changed its server says.
func (b *builder) appendOnly(e enforce.Entry) namespace.Slot {
	mode := "100000"
	if e.Dir {
		mode = "40000"
	}
	return b.served("make "+e.Path+" append-only", unix.MOUNT_ATTR_NOEXEC, mode, [2]string{"default_permissions"})
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
		return b.overlay(e), nil
	case enforce.OpAppend:
		return b.appendOnly(e), nil
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

// overlayLower is where the row holds the source of an overlay; the directories for
// its changes come after it. The numbers have to be known when options are written.
const overlayLower = fuseDevice + 1

// overlay makes a mount in which the host's directory is changed elsewhere.
//
// Security: the source is opened and compared as any other, and the mount is made of
// the descriptor, not of its name. What the program changes the kernel writes
// beneath Changes, which the view does not have. Marks are kept in extended
// attributes of the user's, so that they cannot be of a file that the program made
// elsewhere with more rights.
func (b *builder) overlay(e enforce.Entry) namespace.Slot {
	l := b.list
	what := "keep apart what is changed of " + e.Source
	parts := []namespace.Slot{row.Source(b.list, e), row.HostPath(b.list, what, e.Changes+"/"+enforce.Upper), row.HostPath(b.list, what, e.Changes+"/"+enforce.Work)}
	options := [][2]string{{"userxattr"}}
	for i, name := range []string{"lowerdir", "upperdir", "workdir"} {
		l.Call(what, unix.SYS_DUP3, namespace.Result(parts[i]), num(overlayLower+i), num(unix.O_CLOEXEC))
		l.Call(what, unix.SYS_CLOSE, namespace.Result(parts[i]))
		options = append(options, [2]string{name, "/proc/self/fd/" + strconv.Itoa(overlayLower+i)})
	}
	fd := row.NewMount(b.list, what, "overlay", row.NoExec(e), options...)
	for i := range parts {
		l.Call(what, unix.SYS_CLOSE, num(overlayLower+i))
	}
	return fd
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
