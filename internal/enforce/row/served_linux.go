//go:build linux

package row

import (
	"iter"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
)

// Numbers of descriptors have to be known when the options of a mount are written:
// the device of one that is served from outside, and after it the source of an
// overlay and the directories for its changes.
const (
	fuseDevice   = 200
	overlayLower = fuseDevice + 1
)

// Order are the indices of a view's entries in the order in which their mounts are to
// be made: first those that take the numbers above, which descriptors of other mounts
// reach where there are many. Among themselves they stay in the view's order.
func Order(view []enforce.Entry) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, first := range []bool{true, false} {
			for i, e := range view {
				if numbered := e.Op == enforce.OpOverlay || e.Op == enforce.OpAppend || e.Op == enforce.OpBounded || e.Op == enforce.OpStored; numbered == first && !yield(i) {
					return
				}
			}
		}
	}
}

// IDs are those of a sandbox's user, as the user namespace has them in which its
// mounts are made.
type IDs struct {
	UID, GID int
	Single   bool // the namespace has these alone
	// Late: a kernel of the sandbox's own says where the end is, and may be late.
	Late bool
}

// Served makes a mount that is served from outside, and sends its device over the
// line.
//
// Security: the new process lets go of the device before it walks the first
// path in the view. Were it to hold the device while the launcher dies, the
// connection would never be ended, and its walk neither. The device has to be
// opened in the user namespace that mounts it.
func Served(l *namespace.List, line int, ids IDs, what string, attr int, rootMode string, options ...[2]string) namespace.Slot {
	dev := l.NewSlot()
	l.Call("open /dev/fuse", unix.SYS_OPENAT, namespace.CWD, l.Str("/dev/fuse"), num(unix.O_RDWR|unix.O_CLOEXEC)).Keep(dev)
	l.Call(what, unix.SYS_DUP3, namespace.Result(dev), num(fuseDevice), num(unix.O_CLOEXEC))
	options = append([][2]string{{"fd", strconv.Itoa(fuseDevice)}, {"rootmode", rootMode},
		{"user_id", strconv.Itoa(ids.UID)}, {"group_id", strconv.Itoa(ids.GID)}, {"allow_other"}}, options...)
	mount := NewMount(l, what, "fuse", attr, options...)
	l.Send("hand over what serves it", line, dev)
	l.Call(what, unix.SYS_CLOSE, namespace.Result(dev))
	l.Call(what, unix.SYS_CLOSE, num(fuseDevice))
	return mount
}

// Zone makes the mount of an append-only folder or file, or of one whose content is
// bounded. The kernel inside looks at modes; what may be changed its server says.
func Zone(l *namespace.List, line int, ids IDs, e enforce.Entry) namespace.Slot {
	mode := "100000"
	if e.Dir {
		mode = "40000"
	}
	return Served(l, line, ids, "make "+e.Path+" "+string(e.Op), unix.MOUNT_ATTR_NOEXEC, mode, [2]string{"default_permissions"})
}

// Overlay makes a mount in which the host's directory is changed elsewhere.
//
// Security: the source is opened and compared as any other, and the mount is made of
// the descriptor, not of its name. What the program changes the kernel writes
// beneath Changes, which the view does not have. Marks are kept in extended
// attributes of the user's, so that they cannot be of a file that the program made
// elsewhere with more rights.
func Overlay(l *namespace.List, e enforce.Entry) namespace.Slot {
	what := "keep apart what is changed of " + e.Source
	parts := []namespace.Slot{Source(l, e), HostPath(l, what, e.Changes+"/"+enforce.Upper), HostPath(l, what, e.Changes+"/"+enforce.Work)}
	options := [][2]string{{"userxattr"}}
	for i, name := range []string{"lowerdir", "upperdir", "workdir"} {
		l.Call(what, unix.SYS_DUP3, namespace.Result(parts[i]), num(overlayLower+i), num(unix.O_CLOEXEC))
		l.Call(what, unix.SYS_CLOSE, namespace.Result(parts[i]))
		options = append(options, [2]string{name, "/proc/self/fd/" + strconv.Itoa(overlayLower+i)})
	}
	fd := NewMount(l, what, "overlay", NoExec(e), options...)
	for i := range parts {
		l.Call(what, unix.SYS_CLOSE, num(overlayLower+i))
	}
	return fd
}
