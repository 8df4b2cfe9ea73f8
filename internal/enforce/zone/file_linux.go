package zone

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// open opens a file or folder of the host, for the rights that are asked for.
//
// Security: a file that can be written is opened with O_APPEND: from there on the
// host's kernel puts every write at its end, whatever this server makes of it.
// Direct, so that the kernel inside keeps no content that could be mapped and
// changed there.
func (z *Zone) open(r fuse.Request, n *node) ([]byte, error) {
	flags, err := r.Flags()
	if err != nil {
		return nil, err
	}
	if r.Op == fuse.OpOpendir {
		return z.handle(n, unix.O_RDONLY|unix.O_DIRECTORY)
	}
	if flags&unix.O_TRUNC != 0 { // the kernel truncates first, by a request of its own
		return nil, unix.EPERM
	}
	return z.handle(n, z.rights(flags))
}

// rights are the flags that the host's file is opened with.
func (z *Zone) rights(flags uint32) int {
	switch access := flags & unix.O_ACCMODE; {
	case access == unix.O_RDONLY || z.config.Change:
		return int(access) // what appends says so with each write
	case access == unix.O_RDWR && z.config.Read:
		return unix.O_RDWR | unix.O_APPEND
	default:
		return unix.O_WRONLY | unix.O_APPEND
	}
}

func (z *Zone) handle(n *node, flags int) ([]byte, error) {
	switch {
	case len(z.handles) >= maxHandles:
		return nil, unix.ENFILE
	case flags == unix.O_RDONLY && !z.config.Read:
		return nil, unix.EACCES
	}
	if err := z.may(n, flags); err != nil {
		return nil, err
	}
	fd, st, err := z.at(n, flags)
	if err != nil {
		return nil, err
	}
	if err := takes(st, flags); err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, err
	}
	return fuse.OpenReply(z.keep(fd), fuse.DirectIO), nil
}

// takes refuses what is no plain file, and one that runs with other rights than
// those of who starts it: the server's writes would leave it so.
func takes(st unix.Stat_t, flags int) error {
	switch {
	case !shown(st.Mode):
		return unix.EACCES
	case flags&unix.O_ACCMODE != unix.O_RDONLY && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0:
		return unix.EPERM
	}
	return nil
}

func (z *Zone) keep(fd int) uint64 {
	z.last++
	z.handles[z.last] = fd
	var st unix.Stat_t
	if z.config.Change && unix.Fstat(fd, &st) == nil {
		z.opens[inode{st.Dev, st.Ino}]++
	}
	return z.last
}

// opened is the descriptor that a request is for; its number stands first.
func (z *Zone) opened(r fuse.Request) (int, error) {
	h, err := r.Number()
	if err != nil {
		return -1, err
	}
	fd, ok := z.handles[h]
	if !ok {
		return -1, unix.EBADF
	}
	return fd, nil
}

func (z *Zone) release(r fuse.Request) error {
	fd, err := z.opened(r)
	if err != nil {
		return err
	}
	h, _ := r.Number() // it was read above
	delete(z.handles, h)
	z.letGo(fd)
	return unix.Close(fd)
}

func (z *Zone) read(r fuse.Request) ([]byte, error) {
	fd, err := z.opened(r)
	if err != nil {
		return nil, err
	}
	offset, size, err := r.Window()
	if err != nil || int64(offset) < 0 {
		return nil, fuse.ErrMalformed
	}
	b := make([]byte, min(size, fuse.BufferSize))
	n, err := unix.Pread(fd, b, int64(offset))
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

func (z *Zone) sync(r fuse.Request) error {
	fd, err := z.opened(r)
	if err != nil {
		return err
	}
	return unix.Fsync(fd)
}

const (
	writeHead  = 40
	fromCache  = 1 << 0 // of a page that was mapped (FUSE_WRITE_CACHE)
	lockMillis = 5000   // for which the lock is tried: others hold it for one write
)

// A writing is a request to write.
type writing struct {
	fd     int
	offset uint64
	flags  uint32 // of the program's descriptor
	data   []byte
}

func (z *Zone) parseWrite(r fuse.Request) (w writing, err error) {
	if w.fd, err = z.opened(r); err != nil {
		return w, err
	}
	if len(r.Body) < writeHead || uint64(wire.Uint32(r.Body[16:])) != uint64(len(r.Body)-writeHead) {
		return w, fuse.ErrMalformed
	}
	if wire.Uint32(r.Body[20:])&fromCache != 0 {
		return w, unix.EPERM
	}
	w.offset, w.flags, w.data = wire.Uint64(r.Body[8:]), wire.Uint32(r.Body[32:]), r.Body[writeHead:]
	return w, nil
}

// write appends. A program that opened its file with O_APPEND means the end,
// wherever that is by now; any other one has to have named it (see Config.Late).
//
// Security: where the end is is looked up under the lock of the zone, not believed
// of the kernel inside. The descriptor has O_APPEND, so that even a writer of the
// host's who takes no lock loses nothing.
func (z *Zone) write(r fuse.Request, of *node) ([]byte, error) {
	w, err := z.parseWrite(r)
	if err != nil {
		return nil, err
	}
	fd, offset, data := w.fd, w.offset, w.data
	unlock, err := z.exclusive()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	late := z.config.Late && offset == of.told && of.told < uint64(st.Size)
	if w.flags&unix.O_APPEND == 0 && offset != uint64(st.Size) && !late {
		return nil, unix.EPERM
	}
	if err := z.readTally(); err != nil {
		return nil, err
	}
	if data, err = z.room(data); err != nil {
		return nil, err
	}
	n, err := unix.Write(fd, data)
	if err != nil {
		return nil, err
	}
	z.used.bytes += int64(n)
	of.told = uint64(st.Size) + uint64(n)
	if err := z.keepTally(); err != nil {
		return nil, err
	}
	return wire.AppendUint32(wire.AppendUint32(nil, uint32(n)), 0), nil
}

// exclusive takes the lock that all servers of a zone share.
func (z *Zone) exclusive() (unlock func(), err error) {
	for range lockMillis {
		if err = unix.Flock(z.lock, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { _ = unix.Flock(z.lock, unix.LOCK_UN) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
	return nil, unix.EBUSY
}
