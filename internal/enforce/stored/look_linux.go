package stored

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/fuse"
)

// began is what is told of the time of folders.
var began = time.Unix(0, 0)

// visible reports whether a key is there for the program, if it has a value.
func (f *Folder) visible(key string) bool {
	has := f.config.Storer.Rights(key)
	return has.Read || has.Write
}

// isFolder reports whether a key is one: it leads to what is granted or can be asked
// about, to a value that is there, or was made.
func (f *Folder) isFolder(key string) bool {
	if key == "" {
		return true
	}
	if slices.ContainsFunc(f.config.Storer.Leading(), func(k string) bool { return beneath(k, key) }) {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holds(key)
}

// folder is isFolder, with mu held.
func (f *Folder) folder(key string) bool {
	return key == "" || slices.ContainsFunc(f.config.Storer.Leading(), func(k string) bool { return beneath(k, key) }) || f.holds(key)
}

// holds reports whether a folder was made, or has something that is there. mu is held.
func (f *Folder) holds(key string) bool {
	if f.folders[key] {
		return true
	}
	for made := range f.folders {
		if beneath(made, key) {
			return true
		}
	}
	values, err := f.config.Storer.Values()
	return err == nil && slices.ContainsFunc(values, func(v enforce.StoredValue) bool { return beneath(v.Key, key) && f.visible(v.Key) })
}

func (f *Folder) lookup(r fuse.Request, parent *node) ([]byte, error) {
	name, err := r.Name()
	if err != nil {
		return nil, err
	}
	if !parent.dir {
		return nil, unix.ENOTDIR
	}
	key := join(parent.key, name)
	if f.visible(key) {
		v, err := f.config.Storer.Look(key)
		if err == nil {
			return f.enter(key, false, f.value(v))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if f.folder(key) {
		return f.enter(key, true, fuse.Attr{})
	}
	return nil, unix.ENOENT
}

// enter answers with a key or folder, which the kernel knows from then on. It keeps
// nothing of it: others commit, and rights change.
func (f *Folder) enter(key string, dir bool, a fuse.Attr) ([]byte, error) {
	n := f.nodes.enter(key, dir)
	if n == nil {
		return nil, unix.ENFILE
	}
	return fuse.EntryReply(f.owned(n, a), 0), nil
}

// owned completes what is told of a node.
func (f *Folder) owned(n *node, a fuse.Attr) fuse.Attr {
	a.Ino, a.UID, a.GID = n.id, f.config.UID, f.config.GID
	if n.dir {
		a.Mode, a.Sec = unix.S_IFDIR|0o700, uint64(began.Unix())
		return a
	}
	has := f.config.Storer.Rights(n.key)
	a.Mode = unix.S_IFREG
	if has.Read || f.config.Storer.Asks(n.key, false) { // the kernel would refuse what can be asked about
		a.Mode |= 0o400
	}
	if has.Write || f.config.Storer.Asks(n.key, true) {
		a.Mode |= 0o200
	}
	return a
}

func (f *Folder) value(v enforce.StoredValue) fuse.Attr {
	return fuse.Attr{Size: uint64(v.Size), Sec: uint64(v.Time.Unix()), Nsec: uint32(v.Time.Nanosecond())}
}

const getHandle = 1 << 0 // FUSE_GETATTR_FH

func (f *Folder) getattr(r fuse.Request, n *node) ([]byte, error) {
	if len(r.Body) >= 16 && wire.Uint32(r.Body)&getHandle != 0 {
		if h := f.handles[wire.Uint64(r.Body[8:])]; h != nil && h.key == n.key && !h.dir {
			return fuse.AttrReply(f.owned(n, h.attr()), 0), nil
		}
	}
	return f.look(n)
}

// look is what there is of a node now.
func (f *Folder) look(n *node) ([]byte, error) {
	if n.dir {
		if !f.folder(n.key) {
			return nil, unix.ENOENT
		}
		return fuse.AttrReply(f.owned(n, fuse.Attr{}), 0), nil
	}
	if !f.visible(n.key) {
		return nil, unix.ENOENT
	}
	v, err := f.config.Storer.Look(n.key)
	if err == nil {
		return fuse.AttrReply(f.owned(n, f.value(v)), 0), nil
	}
	for _, h := range f.handles { // it is being made
		if h.key == n.key && h.draft != nil {
			return fuse.AttrReply(f.owned(n, h.attr()), 0), nil
		}
	}
	return nil, err
}

func (f *Folder) access(r fuse.Request, n *node) error {
	mask, err := r.Flags()
	if err != nil {
		return err
	}
	if n.dir {
		return nil // what can be made in it the request for that finds
	}
	has := f.config.Storer.Rights(n.key)
	switch {
	case !has.Read && !has.Write:
		return unix.ENOENT
	case mask&unix.X_OK != 0, mask&unix.R_OK != 0 && !has.Read, mask&unix.W_OK != 0 && !has.Write && !f.config.Storer.Asks(n.key, true):
		return unix.EACCES
	}
	return nil
}

func (f *Folder) opendir(n *node) ([]byte, error) {
	if !n.dir {
		return nil, unix.ENOTDIR
	}
	if !f.folder(n.key) {
		return nil, unix.ENOENT
	}
	values, err := f.config.Storer.Values()
	if err != nil {
		return nil, err
	}
	l := listing{}
	for _, v := range values {
		if f.visible(v.Key) {
			l.add(v.Key, n.key, false)
		}
	}
	for made := range f.folders {
		l.add(made+"/", n.key, true)
	}
	for _, k := range f.config.Storer.Leading() {
		l.add(k, n.key, true)
	}
	return f.keep(&handle{key: n.key, dir: true, list: l, names: l.names()})
}

func (f *Folder) readdir(r fuse.Request) ([]byte, error) {
	h, err := f.opened(r)
	if err != nil {
		return nil, err
	}
	offset, size, err := r.Window()
	if err != nil || !h.dir {
		return nil, unix.EBADF
	}
	size = min(size, fuse.BufferSize)
	out := make([]byte, 0, size)
	for i := offset; i < uint64(len(h.names)); i++ {
		mode := uint32(unix.S_IFREG)
		if h.list[h.names[i]] {
			mode = unix.S_IFDIR
		}
		var fits bool
		if out, fits = fuse.AppendDirent(out, size, h.names[i], i+1, mode); !fits {
			break
		}
	}
	return out, nil
}

func (f *Folder) mkdir(r fuse.Request, parent *node) ([]byte, error) {
	name, _, err := named(r)
	if err != nil {
		return nil, err
	}
	key := join(parent.key, name)
	switch {
	case !parent.dir:
		return nil, unix.ENOTDIR
	case f.folder(key):
		return nil, unix.EEXIST
	case !f.config.Storer.Rights(key).Write:
		return nil, unix.EACCES
	case len(f.folders) >= maxFolders:
		return nil, unix.EDQUOT
	}
	if _, err := f.config.Storer.Look(key); err == nil {
		return nil, unix.EEXIST
	}
	body, err := f.enter(key, true, fuse.Attr{})
	if err == nil {
		f.folders[key] = true
	}
	return body, err
}

func (f *Folder) rmdir(r fuse.Request, parent *node) error {
	name, err := r.Name()
	if err != nil {
		return err
	}
	key := join(parent.key, name)
	if !f.folder(key) {
		return unix.ENOENT
	}
	made := f.folders[key]
	delete(f.folders, key)
	if f.folder(key) {
		if made {
			f.folders[key] = true
		}
		return unix.ENOTEMPTY
	}
	return nil
}

func (f *Folder) unlink(r fuse.Request, parent *node) error {
	name, err := r.Name()
	if err != nil {
		return err
	}
	key := join(parent.key, name)
	switch has := f.config.Storer.Rights(key); {
	case !has.Read && !has.Write:
		return unix.ENOENT
	case !has.Write:
		return unix.EACCES
	}
	return f.config.Storer.Remove(key)
}

const statfsSize = 80

// statfs tells of the room for what is stored.
func (f *Folder) statfs() []byte {
	used, most := f.config.Storer.Room(true)
	b := make([]byte, statfsSize)
	wire.PutUint64(b, uint64(most)/fuse.BlockSize)
	wire.PutUint64(b[8:], uint64(max(most-used, 0))/fuse.BlockSize)
	wire.PutUint64(b[16:], uint64(max(most-used, 0))/fuse.BlockSize)
	wire.PutUint32(b[40:], fuse.BlockSize)
	wire.PutUint32(b[44:], fuse.MaxName)
	wire.PutUint32(b[48:], fuse.BlockSize)
	return b
}
