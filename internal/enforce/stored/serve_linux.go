package stored

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

var wire = binary.NativeEndian

// maxWrite is the largest write that is taken at once; the kernel splits others.
const maxWrite = 1 << 17

// Bounds of what a program can have the server remember.
const (
	maxNodes   = 1 << 16
	maxHandles = 256
	maxFolders = 1024
	maxAsking  = 16
)

// A Folder is served once.
type Folder struct {
	config Config
	device *fuse.Device
	ctx    context.Context // of questions
	cancel context.CancelFunc
	asks   sync.WaitGroup

	mu      sync.Mutex
	nodes   *nodes                        // guarded by mu
	handles map[uint64]*handle            // guarded by mu
	last    uint64                        // guarded by mu; handle
	folders map[string]bool               // guarded by mu; that the program made
	waiting map[uint64]context.CancelFunc // guarded by mu; questions, by request
}

// New makes the folder; ctx ends its questions.
func New(ctx context.Context, c Config) *Folder {
	f := &Folder{config: c, nodes: newNodes(), handles: map[uint64]*handle{}, folders: map[string]bool{}, waiting: map[uint64]context.CancelFunc{}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Take takes over an open device, which is closed in any case.
func (f *Folder) Take(dev int) (err error) {
	if f.device, err = fuse.NewDevice(dev); err != nil {
		return errors.Join(err, unix.Close(dev))
	}
	return nil
}

// Stop makes Serve return, when it has answered what was asked before. It may be
// called from anywhere, after Take.
func (f *Folder) Stop() {
	f.cancel()
	if f.device != nil {
		f.device.Stop()
	}
}

// Close gives back what the folder has, when it is no longer served. What was not
// closed inside is dropped.
func (f *Folder) Close() (err error) {
	f.cancel()
	f.asks.Wait()
	if f.device != nil {
		f.device.Close()
	}
	for _, h := range f.handles {
		err = errors.Join(err, h.drop())
	}
	f.handles = nil
	return err
}

// Serve answers the kernel until the connection ends or Stop is called: nil in both
// cases.
//
// Security: one request after the other, but for questions. What the last program has
// closed before the sandbox ended is committed then, too.
func (f *Folder) Serve() error {
	defer f.device.Close()
	defer f.asks.Wait()
	defer f.cancel()
	b := make([]byte, maxWrite+fuse.BufferSize)
	for {
		n, err := f.device.Read(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := f.serve(b[:n]); err != nil {
			return err
		}
	}
	for {
		n, err := f.device.Pending(b)
		if n == 0 || err != nil {
			return err
		}
		if err := f.serve(b[:n]); err != nil {
			return err
		}
	}
}

// serve answers one request. Its error ends the connection.
func (f *Folder) serve(message []byte) error {
	r, err := fuse.ParseRequest(message)
	if err != nil {
		return err
	}
	switch r.Op {
	case fuse.OpInit:
		body, err := r.InitReply(fuse.HandleKillpriv|fuse.AtomicTruncate, maxWrite)
		if err != nil {
			return err
		}
		f.reply(r, body, nil)
	case fuse.OpForget:
		if lookups, err := r.Number(); err == nil {
			f.forget(r.Node, lookups)
		}
	case fuse.OpBatchForget:
		_ = r.Forgets(f.forget) // the kernel waits for no answer
	case fuse.OpInterrupt:
		f.interrupt(r)
	case fuse.OpDestroy:
		f.reply(r, nil, nil)
	default:
		if !f.asked(r) {
			body, err := f.answer(r)
			f.reply(r, body, err)
		}
	}
	return nil
}

func (f *Folder) forget(node, lookups uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes.forget(node, lookups)
}

// interrupt ends the question that a request waits for.
func (f *Folder) interrupt(r fuse.Request) {
	unique, err := r.Number()
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if cancel, ok := f.waiting[unique]; ok {
		cancel()
	}
}

// A wish is a right that a request needs.
type wish struct {
	key   string
	write bool
}

// wants are the rights without which a request would be refused.
func (f *Folder) wants(r fuse.Request) (w wish, ok bool) {
	f.mu.Lock()
	n := f.nodes.ids[r.Node]
	f.mu.Unlock()
	if n == nil {
		return w, false
	}
	switch r.Op {
	case fuse.OpLookup:
		name, err := r.Name()
		return wish{key: join(n.key, name)}, err == nil && n.dir
	case fuse.OpOpen:
		flags, err := r.Flags()
		return wish{n.key, writes(flags)}, err == nil && !n.dir
	case fuse.OpCreate, fuse.OpMkdir:
		name, _, err := named(r)
		return wish{join(n.key, name), true}, err == nil && n.dir
	case fuse.OpUnlink:
		name, err := r.Name()
		return wish{join(n.key, name), true}, err == nil && n.dir
	default:
		return w, false
	}
}

// asked has somebody asked about what a request needs, if somebody would be, and
// answers it afterwards.
func (f *Folder) asked(r fuse.Request) bool {
	w, ok := f.wants(r)
	if !ok || f.config.Storer == nil {
		return false
	}
	has := f.config.Storer.Rights(w.key)
	switch {
	case w.write && has.Write, !w.write && (has.Read || has.Write):
		return false
	case r.Op == fuse.OpLookup && f.isFolder(w.key):
		return false
	case !w.write && !f.config.Storer.Asks(w.key, false) && f.config.Storer.Asks(w.key, true):
		w.write = true // all that could be granted
	}
	if !f.config.Storer.Asks(w.key, w.write) {
		return false
	}
	ctx, cancel := context.WithCancel(f.ctx)
	f.mu.Lock()
	if len(f.waiting) >= maxAsking {
		f.mu.Unlock()
		cancel()
		return false
	}
	f.waiting[r.Unique] = cancel
	f.mu.Unlock()
	r.Body = slices.Clone(r.Body)
	f.asks.Go(func() {
		f.config.Storer.Ask(ctx, w.key, w.write, f.config.Host(r.PID))
		f.mu.Lock()
		delete(f.waiting, r.Unique)
		f.mu.Unlock()
		gone := ctx.Err() != nil
		cancel()
		if gone {
			f.reply(r, nil, unix.EINTR)
			return
		}
		body, err := f.answer(r)
		f.reply(r, body, err)
	})
	return true
}

// answer is what a request is answered with.
//
// Security: this is every request that is answered with more than an error. Those that
// give other names to what is there are refused by name; what is not known here the
// kernel does without. The rights are looked at for each of them.
func (f *Folder) answer(r fuse.Request) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes.ids[r.Node]
	if n == nil {
		return nil, unix.ESTALE
	}
	switch r.Op {
	case fuse.OpLookup:
		return f.lookup(r, n)
	case fuse.OpGetattr:
		return f.getattr(r, n)
	case fuse.OpSetattr:
		return f.setattr(r, n)
	case fuse.OpAccess:
		return nil, f.access(r, n)
	case fuse.OpOpen:
		return f.open(r, n)
	case fuse.OpOpendir:
		return f.opendir(n)
	case fuse.OpCreate:
		return f.create(r, n)
	case fuse.OpMkdir:
		return f.mkdir(r, n)
	case fuse.OpUnlink:
		return nil, f.unlink(r, n)
	case fuse.OpRmdir:
		return nil, f.rmdir(r, n)
	case fuse.OpRead:
		return f.read(r)
	case fuse.OpReaddir:
		return f.readdir(r)
	case fuse.OpWrite:
		return f.write(r)
	case fuse.OpFlush:
		return nil, f.flush(r)
	case fuse.OpFsync, fuse.OpFsyncdir:
		return nil, nil // what is closed is on the disk
	case fuse.OpRelease, fuse.OpReleasedir:
		return nil, f.release(r)
	case fuse.OpStatfs:
		return f.statfs(), nil
	case fuse.OpRename, fuse.OpRename2:
		return nil, unix.EXDEV // who moves copies then, and a close is a commit
	case fuse.OpSymlink, fuse.OpLink, fuse.OpMknod, fuse.OpTmpfile, fuse.OpSetxattr, fuse.OpRemovexattr, fuse.OpFallocate:
		return nil, unix.EPERM
	default:
		return nil, unix.ENOSYS
	}
}

// reply ends a request. Nobody may wait for it any more, or the connection be over,
// which the next read finds.
func (f *Folder) reply(r fuse.Request, body []byte, err error) {
	if f.device == nil {
		return
	}
	_ = f.device.Reply(r.Unique, errno(err), body)
}

// errno is what a program hears.
func errno(err error) unix.Errno {
	var no unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &no) && no != 0:
		return no
	case errors.Is(err, fs.ErrNotExist):
		return unix.ENOENT
	case errors.Is(err, fuse.ErrMalformed):
		return unix.EINVAL
	default:
		return unix.EIO
	}
}
