package zone

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// An inode is a file or folder of the host, whatever it is called.
type inode struct{ dev, ino uint64 }

// change answers what is requested of a zone that can be changed (Config.Change).
//
// Security: this is every request that such a zone takes beside those of one that only
// grows. Links, devices, attributes and space beyond a file's end have none.
func (z *Zone) change(r fuse.Request, n *node) ([]byte, error) {
	switch r.Op {
	case fuse.OpSetattr:
		return z.setChanged(r, n)
	case fuse.OpWrite:
		return z.overwrite(r)
	case fuse.OpUnlink, fuse.OpRmdir:
		name, err := r.Name()
		if err != nil {
			return nil, err
		}
		return nil, z.remove(n, name, r.Op == fuse.OpRmdir)
	case fuse.OpRename, fuse.OpRename2:
		return nil, z.rename(r, n)
	case fuse.OpFallocate, fuse.OpTmpfile:
		return nil, unix.EOPNOTSUPP // who is told this does without
	default:
		return nil, errElse
	}
}

// errElse says that a request is answered as in any other zone.
var errElse = errors.New("not about a change")

// overwrite writes wherever the program says.
//
// Security: what is counted is the size, so that a hole is paid for before it is filled.
func (z *Zone) overwrite(r fuse.Request) ([]byte, error) {
	w, err := z.parseWrite(r)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(w.fd, &st); err != nil {
		return nil, err
	}
	at := int64(w.offset)
	if w.flags&unix.O_APPEND != 0 {
		at = st.Size
	}
	if at < 0 {
		return nil, unix.EFBIG
	}
	data := w.data
	if most := z.mostSize(st.Size); most-at < int64(len(data)) {
		if data = data[:max(most-at, 0)]; len(data) == 0 && len(w.data) > 0 {
			return nil, z.full(&z.fullBytes)
		}
	}
	n, err := unix.Pwrite(w.fd, data, at)
	if err != nil {
		return nil, err
	}
	if n > 0 { // nothing fills no hole before it
		z.used.bytes += max(at+int64(n), st.Size) - st.Size
	}
	return wire.AppendUint32(wire.AppendUint32(nil, uint32(n)), 0), nil
}

// mostSize is how large a file of a size may become.
func (z *Zone) mostSize(size int64) int64 {
	if z.config.Bytes == 0 {
		return 1<<63 - 1
	}
	return size + max(z.config.Bytes-z.used.bytes, 0)
}

// setChanged changes size, mode and times. The owner stays who it is.
func (z *Zone) setChanged(r fuse.Request, n *node) ([]byte, error) {
	if len(r.Body) < setattrSize {
		return nil, fuse.ErrMalformed
	}
	valid := wire.Uint32(r.Body)
	fd, st, err := z.at(n, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	a := z.attr(n, st)
	if valid&setUID != 0 && wire.Uint32(r.Body[76:]) != a.UID || valid&setGID != 0 && wire.Uint32(r.Body[80:]) != a.GID {
		return nil, unix.EPERM
	}
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	if valid&setMode != 0 {
		if err := unix.Chmod(self, wire.Uint32(r.Body[68:])&0o777); err != nil {
			return nil, err
		}
	}
	if valid&setSize != 0 {
		if err := z.resize(self, st, int64(wire.Uint64(r.Body[16:]))); err != nil {
			return nil, err
		}
	}
	if valid&setTimes != 0 {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, self, timesOf(valid, r.Body), 0); err != nil {
			return nil, err
		}
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	return fuse.AttrReply(z.attr(n, st), 0), nil
}

// resize gives a file another size.
func (z *Zone) resize(self string, st unix.Stat_t, size int64) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || size < 0:
		return unix.EINVAL
	case size > z.mostSize(st.Size):
		return z.full(&z.fullBytes)
	}
	if err := takes(st, unix.O_WRONLY); err != nil {
		return err
	}
	if err := unix.Truncate(self, size); err != nil {
		return err
	}
	z.used.bytes += size - st.Size
	return nil
}

// timesOf are the times of access and change of a setattr.
func timesOf(valid uint32, body []byte) []unix.Timespec {
	times := make([]unix.Timespec, 2)
	for i := range times {
		switch {
		case valid&(setAccessTimeNow<<i) != 0:
			times[i].Nsec = unix.UTIME_NOW
		case valid&(setAccessTime<<i) != 0:
			times[i] = unix.Timespec{Sec: int64(wire.Uint64(body[32+8*i:])), Nsec: int64(wire.Uint32(body[56+4*i:]))}
		default:
			times[i].Nsec = unix.UTIME_OMIT
		}
	}
	return times
}

// in opens the folder of a name.
func (z *Zone) in(parent *node) (int, error) {
	if !z.dir {
		return -1, unix.ENOTDIR
	}
	return z.openPath(parent.path(), unix.O_PATH|unix.O_DIRECTORY)
}

// remove takes a name away.
func (z *Zone) remove(parent *node, name string, dir bool) error {
	st, err := z.child(parent, name)
	if err != nil {
		return err
	}
	in, err := z.in(parent)
	if err != nil {
		return err
	}
	defer unix.Close(in) //nolint:errcheck // nothing was written
	flags := 0
	if dir {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(in, name, flags); err != nil {
		return err
	}
	delete(z.nodes.at, place{parent.id, name})
	z.gone(st)
	return nil
}

// gone counts that a name was taken away.
//
// Security: room is given back when the host has it back: not while the file has
// another name, and not before the last who has it open lets go of it.
func (z *Zone) gone(st unix.Stat_t) {
	i := inode{st.Dev, st.Ino}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1:
	case z.opens[i] > 0:
		z.nameless[i] = true
	default:
		z.giveBack(st)
	}
}

func (z *Zone) giveBack(st unix.Stat_t) {
	z.used.files--
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		z.used.bytes -= st.Size
	}
}

// letGo counts that a descriptor is closed.
func (z *Zone) letGo(fd int) {
	var st unix.Stat_t
	if !z.config.Change || unix.Fstat(fd, &st) != nil {
		return // what cannot be looked at is not given back
	}
	i := inode{st.Dev, st.Ino}
	if z.opens[i]--; z.opens[i] > 0 {
		return
	}
	delete(z.opens, i)
	if z.nameless[i] {
		delete(z.nameless, i)
		z.giveBack(st)
	}
}

// namelessAt opens what has no name any more, by whoever has it open.
func (z *Zone) namelessAt(n *node, flags int) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	if z.nameless[inode{n.dev, n.ino}] {
		for _, fd := range z.handles {
			if unix.Fstat(fd, &st) == nil && st.Dev == n.dev && st.Ino == n.ino {
				opened, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC, 0)
				return opened, st, err
			}
		}
	}
	return -1, st, unix.ESTALE
}

// rename gives what is there another name. What is not shown has no other put in its
// place.
func (z *Zone) rename(r fuse.Request, parent *node) error {
	to, from, name, flags, err := z.parseRename(r)
	if err != nil {
		return err
	}
	if _, err := z.child(parent, from); err != nil {
		return err
	}
	over, err := z.child(to, name)
	there := err == nil
	switch {
	case errors.Is(err, unix.ENOENT):
		flags = unix.RENAME_NOREPLACE
	case err != nil:
		return err
	}
	oldIn, err := z.in(parent)
	if err != nil {
		return err
	}
	defer unix.Close(oldIn) //nolint:errcheck // nothing was written
	newIn, err := z.in(to)
	if err != nil {
		return err
	}
	defer unix.Close(newIn) //nolint:errcheck // nothing was written
	was, err := z.child(parent, from)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(oldIn, from, newIn, name, uint(flags)); err != nil {
		return err
	}
	if there && (was.Dev != over.Dev || was.Ino != over.Ino) { // two names of one file both stay
		z.gone(over)
	}
	z.nodes.move(place{parent.id, from}, to, name)
	return nil
}

// parseRename takes the request apart: the new folder, both names, and flags.
func (z *Zone) parseRename(r fuse.Request) (to *node, from, name string, flags uint32, err error) {
	head := 8
	if r.Op == fuse.OpRename2 {
		head = 16
	}
	if len(r.Body) < head {
		return nil, "", "", 0, fuse.ErrMalformed
	}
	if to = z.nodes.ids[wire.Uint64(r.Body)]; to == nil {
		return nil, "", "", 0, unix.ESTALE
	}
	if r.Op == fuse.OpRename2 {
		flags = wire.Uint32(r.Body[8:])
	}
	if flags&^unix.RENAME_NOREPLACE != 0 {
		return nil, "", "", 0, unix.EINVAL
	}
	first, second, ok := bytes.Cut(r.Body[head:], []byte{0})
	if !ok {
		return nil, "", "", 0, fuse.ErrMalformed
	}
	if from, err = (fuse.Request{Body: append(bytes.Clone(first), 0)}).Name(); err == nil {
		name, err = (fuse.Request{Body: second}).Name()
	}
	return to, from, name, flags, err
}

// move follows what was renamed.
func (t *nodes) move(from place, parent *node, name string) {
	n := t.at[from]
	if n == nil {
		return
	}
	delete(t.at, from)
	old := n.parent
	n.parent, n.name = parent, name
	parent.children++
	old.children--
	t.at[place{parent.id, name}] = n
	t.forget(old.id, 0)
}

// full notes that a bound was reached, and refuses.
func (z *Zone) full(which interface{ Store(bool) }) error {
	which.Store(true)
	return unix.EDQUOT
}

// Full reports which bounds were reached. It may be called from anywhere.
func (z *Zone) Full() (bytes, files bool) { return z.fullBytes.Load(), z.fullFiles.Load() }

// alone takes a zone that can be changed for this server: another one would not hear of
// what is removed, and of what it still has open.
func (z *Zone) alone() error {
	if err := unix.Flock(z.tally, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("another session has it, and how much it may hold could not be counted")
	} else if err != nil {
		return err
	}
	return nil
}
