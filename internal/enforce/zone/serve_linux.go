package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

var wire = binary.NativeEndian

// maxWrite is the largest write that is taken at once; the kernel splits others.
const maxWrite = 1 << 17

// A Zone is a folder or file of the host that can be served once.
type Zone struct {
	config Config
	root   int // O_PATH
	lock   int // the root, open so that it can be locked
	dir    bool
	nodes  *nodes
	// handles are descriptors of the host, by the numbers that the kernel has for them.
	handles map[uint64]int
	last    uint64
	used    usage
	// Of a zone that can be changed: how often something is open, and what of that has
	// lost its name and still counts.
	opens    map[inode]int
	nameless map[inode]bool
	// Which bounds were reached.
	fullBytes, fullFiles atomic.Bool
	tally                int // the file in which it is counted together; negative: none
	device               *fuse.Device
}

// Open opens the folder or file of the host, and counts what it holds if that is
// bounded.
func Open(c Config) (*Zone, error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	root, err := unix.Openat2(unix.AT_FDCWD, c.Path, how)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	z := &Zone{config: c, root: root, lock: -1, tally: -1, handles: map[uint64]int{}, opens: map[inode]int{}, nameless: map[inode]bool{}}
	if err := z.begin(); err != nil {
		_ = z.Close()
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	return z, nil
}

func (z *Zone) begin() error {
	var st unix.Stat_t
	if err := unix.Fstat(z.root, &st); err != nil {
		return err
	}
	if st.Dev != z.config.Dev || st.Ino != z.config.Ino {
		return errReplaced
	}
	z.dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !z.dir && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("neither a folder nor a file")
	}
	z.nodes = newNodes(st.Dev, st.Ino)
	var err error
	if z.lock, err = z.reopen(unix.O_RDONLY); err != nil {
		return fmt.Errorf("it has to be readable, to be locked: %w", err)
	}
	if z.config.Bytes == 0 && z.config.Files == 0 {
		return nil
	}
	if err := z.openTally(); err != nil {
		return err
	}
	if z.tally < 0 || z.config.Change { // what is shared was counted with it
		z.used, err = z.count()
	}
	return err
}

// reopen opens the root anew.
func (z *Zone) reopen(flags int) (int, error) {
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", z.root), flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
}

// Close gives back what Open took, when it is no longer served.
func (z *Zone) Close() error {
	if z.device != nil {
		z.device.Close()
	}
	for _, fd := range z.handles {
		_ = unix.Close(fd) // a write was answered with what the kernel said of it
	}
	z.handles = nil
	err := unix.Close(z.root)
	for _, fd := range []int{z.lock, z.tally} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

// Take takes over an open device, which is closed in any case.
func (z *Zone) Take(dev int) (err error) {
	if z.device, err = fuse.NewDevice(dev); err != nil {
		return errors.Join(err, unix.Close(dev))
	}
	return nil
}

// Stop makes Serve return. It may be called from anywhere, after Take.
func (z *Zone) Stop() {
	if z.device != nil {
		z.device.Stop()
	}
}

// Serve answers the kernel until the connection ends or Stop is called: nil in
// both cases.
//
// Security: one request after the other, so that of two that meet each finds what
// the other left. When it ends, by whatever, every call in the zone fails.
func (z *Zone) Serve() error {
	defer z.device.Close()
	b := make([]byte, maxWrite+fuse.BufferSize)
	for {
		n, err := z.device.Read(b)
		if n == 0 || err != nil {
			return err
		}
		if err := z.serve(b[:n]); err != nil {
			return err
		}
	}
}

// serve answers one request. Its error ends the connection.
func (z *Zone) serve(message []byte) error {
	r, err := fuse.ParseRequest(message)
	if err != nil {
		return err
	}
	switch r.Op {
	case fuse.OpInit:
		body, err := r.InitReply(fuse.HandleKillpriv, maxWrite)
		if err != nil {
			return err
		}
		return z.reply(r, body, nil)
	case fuse.OpForget:
		if lookups, err := r.Number(); err == nil {
			z.nodes.forget(r.Node, lookups)
		}
		return nil
	case fuse.OpBatchForget:
		_ = r.Forgets(z.nodes.forget) // the kernel waits for no answer
		return nil
	case fuse.OpInterrupt:
		return nil // what was asked before is answered already
	case fuse.OpDestroy:
		return z.reply(r, nil, nil)
	default: // about a node
	}
	n := z.nodes.ids[r.Node]
	if n == nil {
		return z.reply(r, nil, unix.ESTALE)
	}
	body, err := z.answer(r, n)
	return z.reply(r, body, err)
}

// answer is what a request is answered with.
//
// Security: this is every request that is answered with more than an error. Those
// that change or remove, or give names to what is there, are refused by name;
// what is not known here the kernel does without.
func (z *Zone) answer(r fuse.Request, n *node) ([]byte, error) {
	if z.config.Change {
		if body, err := z.change(r, n); !errors.Is(err, errElse) {
			return body, err
		}
	}
	switch r.Op {
	case fuse.OpLookup:
		return z.lookup(r, n)
	case fuse.OpGetattr:
		return z.getattr(n)
	case fuse.OpSetattr:
		return z.setattr(r, n)
	case fuse.OpOpen, fuse.OpOpendir:
		return z.open(r, n)
	case fuse.OpCreate, fuse.OpMknod, fuse.OpMkdir:
		return z.create(r, n)
	case fuse.OpRead:
		return z.read(r)
	case fuse.OpReaddir:
		return z.readdir(r)
	case fuse.OpWrite:
		return z.write(r, n)
	case fuse.OpFsync, fuse.OpFsyncdir:
		return nil, z.sync(r)
	case fuse.OpRelease, fuse.OpReleasedir:
		return nil, z.release(r)
	case fuse.OpStatfs:
		return z.statfs()
	case fuse.OpSymlink, fuse.OpUnlink, fuse.OpRmdir, fuse.OpRename, fuse.OpRename2, fuse.OpLink,
		fuse.OpTmpfile, fuse.OpSetxattr, fuse.OpRemovexattr, fuse.OpFallocate:
		return nil, unix.EPERM
	default:
		return nil, unix.ENOSYS
	}
}

// reply ends a request. Nobody may wait for it any more, or the connection be over,
// which the next read finds.
func (z *Zone) reply(r fuse.Request, body []byte, err error) error {
	errno := unix.Errno(0)
	if err != nil && !errors.As(err, &errno) {
		errno = unix.EINVAL // a request that is not what the protocol says
	}
	_ = z.device.Reply(r.Unique, errno, body)
	return nil
}
