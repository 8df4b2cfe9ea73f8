package stored

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/fuse"
)

// A handle is something that was opened: a folder as it was, a version, or a draft.
type handle struct {
	key   string
	dir   bool
	list  listing
	names []string

	file *os.File // of a version
	size int64
	time time.Time

	draft   enforce.StoredDraft
	reads   bool
	changed bool  // there is something to commit
	killed  bool  // one who had it open was killed
	failed  bool  // who closed it last was told that it cannot be committed
	broken  error // a write failed, so that it is not what the program meant
}

func (h *handle) attr() fuse.Attr {
	if h.draft != nil {
		now := time.Now()
		return fuse.Attr{Size: uint64(h.draft.Size()), Sec: uint64(now.Unix()), Nsec: uint32(now.Nanosecond())}
	}
	return fuse.Attr{Size: uint64(h.size), Sec: uint64(h.time.Unix()), Nsec: uint32(h.time.Nanosecond())}
}

func (h *handle) drop() error {
	switch {
	case h.draft != nil:
		return h.draft.Drop()
	case h.file != nil:
		return h.file.Close()
	}
	return nil
}

// keep gives a handle to the kernel. Direct, so that the kernel inside keeps no content
// that could be mapped and changed there.
func (f *Folder) keep(h *handle) ([]byte, error) {
	if len(f.handles) >= maxHandles {
		return nil, errors.Join(unix.ENFILE, h.drop())
	}
	f.last++
	f.handles[f.last] = h
	return fuse.OpenReply(f.last, fuse.DirectIO), nil
}

// opened is what a request is for; its number stands first.
func (f *Folder) opened(r fuse.Request) (*handle, error) {
	n, err := r.Number()
	if err != nil {
		return nil, err
	}
	if h := f.handles[n]; h != nil {
		return h, nil
	}
	return nil, unix.EBADF
}

// writes reports whether an open can change something.
func writes(flags uint32) bool {
	return flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0
}

// open opens a version or begins a draft.
func (f *Folder) open(r fuse.Request, n *node) ([]byte, error) {
	flags, err := r.Flags()
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, unix.EISDIR
	}
	h, err := f.handle(n.key, flags, false)
	if err != nil {
		return nil, err
	}
	return f.keep(h)
}

// handle opens a key by its rights; made says that there may be nothing yet.
func (f *Folder) handle(key string, flags uint32, made bool) (*handle, error) {
	has := f.config.Storer.Rights(key)
	reads := flags&unix.O_ACCMODE != unix.O_WRONLY
	switch {
	case !has.Read && !has.Write:
		return nil, unix.ENOENT
	case reads && !has.Read && !(made && writes(flags)), writes(flags) && !has.Write:
		return nil, unix.EACCES
	case len(f.handles) >= maxHandles:
		return nil, unix.ENFILE
	}
	if !writes(flags) {
		file, v, err := f.config.Storer.Open(key)
		if err != nil {
			return nil, err
		}
		return &handle{key: key, file: file, size: v.Size, time: v.Time, reads: true}, nil
	}
	_, err := f.config.Storer.Look(key)
	if err != nil && !(made && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	fresh := err != nil || flags&unix.O_TRUNC != 0
	d, err := f.config.Storer.Draft(key, !fresh)
	if err != nil {
		return nil, err
	}
	return &handle{key: key, draft: d, reads: reads && (has.Read || fresh), changed: fresh}, nil
}

// named takes apart a request that makes something.
func named(r fuse.Request) (name string, flags uint32, err error) {
	head := 16
	if r.Op == fuse.OpMkdir {
		head = 8
	}
	if len(r.Body) < head {
		return "", 0, fuse.ErrMalformed
	}
	flags = wire.Uint32(r.Body)
	r.Body = r.Body[head:]
	name, err = r.Name()
	return name, flags, err
}

// create begins a value that is not there, or opens one that somebody else has
// committed meanwhile.
func (f *Folder) create(r fuse.Request, parent *node) ([]byte, error) {
	name, flags, err := named(r)
	if err != nil {
		return nil, err
	}
	key := join(parent.key, name)
	switch {
	case !parent.dir:
		return nil, unix.ENOTDIR
	case f.folder(key):
		return nil, unix.EISDIR
	case !f.config.Storer.Rights(key).Write:
		return nil, unix.EACCES
	}
	if _, err := f.config.Storer.Look(key); err == nil && flags&unix.O_EXCL != 0 {
		return nil, unix.EEXIST
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		flags |= unix.O_RDWR // what is made is committed
	}
	h, err := f.handle(key, flags, true)
	if err != nil {
		return nil, err
	}
	opened, err := f.keep(h)
	if err != nil {
		return nil, err
	}
	entry, err := f.enter(key, false, h.attr())
	if err != nil {
		delete(f.handles, f.last)
		return nil, errors.Join(err, h.drop())
	}
	return append(entry, opened...), nil
}

func (f *Folder) read(r fuse.Request) ([]byte, error) {
	h, err := f.opened(r)
	if err != nil {
		return nil, err
	}
	offset, size, err := r.Window()
	if err != nil || int64(offset) < 0 {
		return nil, fuse.ErrMalformed
	}
	// The right is looked at again: it may have been taken back since.
	if h.dir || !h.reads || h.file != nil && !f.config.Storer.Rights(h.key).Read {
		return nil, unix.EACCES
	}
	b := make([]byte, min(size, fuse.BufferSize))
	var n int
	if h.file != nil {
		n, err = h.file.ReadAt(b, int64(offset))
	} else {
		n, err = h.draft.ReadAt(b, int64(offset))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

const writeHead = 40

// fromCache says that a written page was mapped (FUSE_WRITE_CACHE).
const fromCache = 1 << 0

func (f *Folder) write(r fuse.Request) ([]byte, error) {
	h, err := f.opened(r)
	if err != nil {
		return nil, err
	}
	if len(r.Body) < writeHead || uint64(wire.Uint32(r.Body[16:])) != uint64(len(r.Body)-writeHead) {
		return nil, fuse.ErrMalformed
	}
	if h.draft == nil || wire.Uint32(r.Body[20:])&fromCache != 0 {
		return nil, unix.EPERM
	}
	offset, data := int64(wire.Uint64(r.Body[8:])), r.Body[writeHead:]
	if wire.Uint32(r.Body[32:])&unix.O_APPEND != 0 {
		offset = h.draft.Size()
	}
	n, err := 0, f.room(offset+int64(len(data))-h.draft.Size())
	if err == nil {
		n, err = h.draft.WriteAt(data, offset)
	}
	h.changed = h.changed || n > 0
	if err != nil {
		h.broken = err
		return nil, err
	}
	return wire.AppendUint32(wire.AppendUint32(nil, uint32(n)), 0), nil
}

// room refuses drafts that together are more than what is stored may be.
func (f *Folder) room(more int64) error {
	_, most := f.config.Storer.Room(false)
	for _, h := range f.handles {
		if h.draft != nil {
			more += h.draft.Size()
		}
	}
	if more > most {
		return unix.EDQUOT
	}
	return nil
}

// What setattr is asked for (FATTR_ in linux/fuse.h).
const (
	setSize     = 1 << 3
	setTimes    = 1<<4 | 1<<5
	setTimesNow = 1<<7 | 1<<8
	setHandle   = 1 << 6
	setOwner    = 1 << 9 // of a lock
	setattrSize = 88
)

// setattr truncates, and takes now as a time, which a commit gives anyway.
func (f *Folder) setattr(r fuse.Request, n *node) ([]byte, error) {
	if len(r.Body) < setattrSize {
		return nil, fuse.ErrMalformed
	}
	valid, size := wire.Uint32(r.Body), wire.Uint64(r.Body[16:])
	now := valid&setTimes != 0 && valid&setTimes<<3 == valid&setTimesNow
	switch {
	case valid&^(setSize|setTimes|setTimesNow|setHandle|setOwner) != 0, valid&setTimes != 0 && !now:
		return nil, unix.EPERM
	case valid&setSize == 0:
		return f.look(n)
	case n.dir || int64(size) < 0:
		return nil, unix.EINVAL
	}
	if valid&setHandle != 0 {
		h := f.handles[wire.Uint64(r.Body[8:])]
		if h == nil || h.draft == nil || h.key != n.key {
			return nil, unix.EINVAL
		}
		if err := h.resize(f, int64(size)); err != nil {
			return nil, err
		}
		return fuse.AttrReply(f.owned(n, h.attr()), 0), nil
	}
	if err := f.truncate(n.key, int64(size)); err != nil {
		return nil, err
	}
	return f.look(n)
}

func (h *handle) resize(f *Folder, size int64) error {
	if err := f.room(size - h.draft.Size()); err != nil {
		return err
	}
	if err := h.draft.Truncate(size); err != nil {
		return err
	}
	h.changed = true
	return nil
}

// truncate commits a value with another length, by its path.
func (f *Folder) truncate(key string, size int64) error {
	h, err := f.handle(key, unix.O_WRONLY, false)
	if err != nil {
		return err
	}
	if err := h.resize(f, size); err != nil {
		return errors.Join(err, h.drop())
	}
	return h.draft.Commit()
}

var errKilled = errors.New("a program that had it open was killed")

// flush is a close, of one descriptor of perhaps several. What would keep the draft
// from being committed it is told of.
func (f *Folder) flush(r fuse.Request) error {
	h, err := f.opened(r)
	if err != nil || h.draft == nil || !h.changed {
		return err
	}
	if h.killed = h.killed || f.config.Killed(r.PID); h.killed {
		return nil
	}
	if !f.config.Storer.Rights(h.key).Write {
		h.failed = true
		return unix.EACCES
	}
	if err = h.broken; err == nil {
		err = h.draft.Seal()
	}
	h.failed = err != nil
	return err
}

// release is the last close: what was written becomes the next version.
//
// Security: not where one who had it open was killed, who may have been in the midst of
// it; not where a write or the last close was told of an error; not where the right was taken back.
func (f *Folder) release(r fuse.Request) error {
	h, err := f.opened(r)
	if err != nil {
		return err
	}
	n, _ := r.Number() // it was read above
	delete(f.handles, n)
	if h.draft != nil && h.changed && h.killed {
		f.config.Storer.Lost(h.key, errKilled)
	}
	if h.draft == nil || !h.changed || h.killed || h.failed || h.broken != nil || !f.config.Storer.Rights(h.key).Write {
		return h.drop()
	}
	if err := h.draft.Commit(); err != nil {
		f.config.Storer.Lost(h.key, err)
		return err
	}
	return nil
}
