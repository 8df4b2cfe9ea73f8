//go:build linux

package gvisor

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// widens reports whether e is what was attached since the start as on, with more rights.
func (a *attacher) widens(on, e enforce.Entry) bool {
	a.table.RLock()
	defer a.table.RUnlock()
	return a.came[on.Path] > 0 && e.Includes(on) && on.Path == e.Path && on.Dev == e.Dev && on.Ino == e.Ino
}

// widen gives a mount the rights of e where it is: the gofer keeps what it has open, and
// what programs are in, and the sandbox's kernel would not see another mount of the same
// object at all.
//
// Security: the parts that e closes are closed before. The mount is found by its path and
// is refused if it is not that object's; one that is no mount itself the kernel refuses
// (mount_setattr(2)), so that no other mount gets the right.
func (a *attacher) widen(e enforce.Entry, parts []enforce.Entry) error {
	if err := a.start(); err != nil {
		return err
	}
	closes, opens := a.inside(e, parts)
	b := a.newRow()
	if slices.ContainsFunc(closes, func(p enforce.Entry) bool { return p.Op == enforce.OpMask && !p.Dir }) {
		b.nothing = b.emptyFile()
	}
	mounts := make([]namespace.Slot, len(closes))
	for i, p := range closes {
		mounts[i] = b.detached(p)
		a.trap.Shown(p.Path, p.Dir)
	}
	b.inside()
	for i, p := range closes {
		row.Move(b.list, "show "+p.Path, mounts[i], namespace.CWD, goferRoot+p.Path)
	}
	b.rights(e)
	for _, p := range opens {
		for range a.layers(p) {
			b.detach(goferRoot + p)
		}
	}
	b.home(len(a.below))
	if err := a.worker.Do(b.list); err != nil {
		a.renounce(closes)
		return err
	}
	a.table.Lock()
	defer a.table.Unlock()
	for _, p := range opens {
		delete(a.shown, p)
		delete(a.came, p)
	}
	for _, p := range closes {
		a.shown[p.Path] = p
		a.came[p.Path]++
	}
	a.shown[e.Path] = e
	return nil
}

// inside is what of the parts of e is to be mounted in it yet, and what is mounted in it
// and has no right that e has not.
func (a *attacher) inside(e enforce.Entry, parts []enforce.Entry) (closes []enforce.Entry, opens []string) {
	a.table.RLock()
	defer a.table.RUnlock()
	for _, p := range parts {
		if on, ok := a.shown[p.Path]; !ok || !on.Equal(p) {
			closes = append(closes, p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(a.shown)) {
		if p != e.Path && within(p, e.Path) && a.came[p] > 0 && e.Includes(a.shown[p]) {
			opens = append(opens, p)
		}
	}
	slices.Reverse(opens) // what lies on another one first
	return closes, opens
}

// rights gives the mount of e its rights.
func (b *attaching) rights(e enforce.Entry) {
	what := "show " + e.Path
	at := b.path(what, goferRoot+e.Path)
	got, want := &unix.Stat_t{}, &unix.Stat_t{Dev: e.Dev, Ino: e.Ino}
	b.list.Call(what, unix.SYS_FSTAT, namespace.Result(at), namespace.Pointer(b.list, got))
	const identity = 16 // st_dev and st_ino stand first
	b.list.Equal("show "+e.Path+", which was replaced", namespace.Memory(got)[:identity], namespace.Memory(want)[:identity])
	attr := &unix.MountAttr{}
	if e.Write {
		attr.Attr_clr |= unix.MOUNT_ATTR_RDONLY
	}
	if e.Exec {
		attr.Attr_clr |= unix.MOUNT_ATTR_NOEXEC
	}
	b.list.Call(what, unix.SYS_MOUNT_SETATTR, namespace.Result(at), b.list.Str(""), num(unix.AT_EMPTY_PATH), namespace.Pointer(b.list, attr), num(row.AttrSize))
}
