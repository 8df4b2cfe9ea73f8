package trap

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// Config is what a trap is made of. Nothing in it is copied: leave it as it is.
type Config struct {
	// Host is an O_PATH descriptor of the host's root, kept open by the caller
	// for the life of the trap. No name is ever looked up but beneath it, and
	// none through a link. Its /proc is where callers are looked at.
	Host int
	// Look, unless it is nil, says what has a path of the host, in the place of Host,
	// which then is only where callers are looked at: the trap is served in a machine
	// that is another one than the host. It answers as See does, and may wait.
	Look func(ctx context.Context, path string) (mode uint32, target string, errno unix.Errno)
	// UID and GID own everything that the trap shows, as the user namespace of
	// the mount has them. Ids that it does not map would make calls fail with
	// EOVERFLOW.
	UID, GID uint32
	// Names is the skeleton. /proc, /sys and /dev belong here, or into Quiet:
	// the host's would be looked up with the server's eyes.
	Names []Name
	// Quiet lists paths that do not exist, with all that lies beneath, unless the
	// view has it of its own. They are never asked about.
	Quiet []string
	// Touch is told of a first contact, in a goroutine of its own, and returns
	// the errno of the call: ESTALE when the object is in the view now, or is in
	// it already, so that the kernel walks again. No error (0), ENOSYS, and what
	// is no errno refuse with EACCES. It returns soon after ctx ends. Equal
	// touches are told each. Nil refuses everything.
	Touch func(ctx context.Context, t Touched) unix.Errno
	// Proxied says that one process alone comes here, which walks for others and
	// opens whatever is on their way (gVisor's gofer): proxied_linux.go.
	Proxied bool
	// Linked, unless it is nil, is told of the links of the host that are read,
	// those on the way of a path. The kernel remembers where a link leads, so it is
	// told at least once of each. It must not wait.
	Linked func(path string)
	// PID translates the id of a thread, which the kernel tells as the pid
	// namespace of whoever mounted has it, to that of the host's /proc; 0 where
	// there is none. Nil leaves it.
	PID func(thread int) int
	// Process answers the process of a thread, both as the host's /proc has them; 0
	// where it cannot tell, and then it is read there. Nil never can.
	Process func(thread int) int
}

// Touched is a first contact. The caller waits in its system call.
type Touched struct {
	Path   string // absolute and clean, on the host and in the view
	Kind   Kind
	PID    int         // process, as the host's /proc has it; 0 if it is gone
	Object int         // O_PATH descriptor of what has that path now, valid until Touch returns; -1 by Config.Look
	Stat   unix.Stat_t // of Object; by Config.Look the type of its mode alone
}

// A Trap is the state of one view. Its methods may be called concurrently, also
// from Touch.
type Trap struct {
	config  Config
	fault   error // of the configuration
	quiet   map[string]bool
	tree    *tree
	table   *table
	open    listings
	most    int    // names known before some are given back
	seconds uint64 // the time that names of the view's own show
}

// New makes a trap that nobody serves yet. A fault of the configuration is
// returned by Serve.
func New(c Config) *Trap {
	t := &Trap{config: c, quiet: map[string]bool{}, most: maxNodes}
	for _, q := range c.Quiet {
		if !path.IsAbs(q) || path.Clean(q) != q {
			t.fault = fmt.Errorf("quiet path %q: not absolute and clean", q)
		}
		t.quiet[q] = true
	}
	var err error
	if t.tree, err = newTree(c.Names); err != nil {
		t.fault = err
	}
	var st unix.Stat_t
	if err := unix.Fstat(c.Host, &st); err != nil {
		t.fault = fmt.Errorf("look at the host's root: %w", err)
	}
	t.seconds = uint64(st.Mtim.Sec)
	t.table = newTable()
	t.open.names = map[uint64][]listed{}
	return t
}

// Shown says that a directory, or something that is none, is mounted at a path
// or is about to be. The directories above it are the view's own from now on, and
// list it. Doing it twice is doing it once.
//
// Call it before mounting, and before Touch returns ESTALE: of a name that is
// mounted on a lookup tells what was mounted, whatever the host makes of it.
// Were it told of a name that became something else meanwhile, the kernel would
// take the mount away with the name.
func (t *Trap) Shown(path string, dir bool) {
	f := file
	if dir {
		f = directory
	}
	t.tree.mount(path, f)
}

// Hidden says that nothing is mounted there any more.
func (t *Trap) Hidden(path string) { t.tree.unmount(path) }

// A server is a trap that is served over a connection.
type server struct {
	trap    *Trap
	ctx     context.Context
	device  *fuse.Device
	waiting waiting
	pruning atomic.Bool // a goroutine gives names back

	serving sync.Mutex // one request at a time
	pruneAt int        // number of nodes; guarded by serving
	held    *held      // what the request has to wait for; guarded by serving

	after []byte // the buffer of attend; who claims the device uses it
}

// Serve answers the kernel until the connection ends or ctx does, which ends
// the connection: nil in both cases. It owns dev and closes it. It returns when
// every Touch has, and every look at the host.
//
// Security: nothing in this loop waits for anybody. What could (a question, a
// disk, a network) has a goroutine, so that the walks of all other processes
// go on. When it ends, whoever waits gets ENOTCONN or EINTR.
func (t *Trap) Serve(ctx context.Context, dev int) error {
	d, err := fuse.NewDevice(dev)
	if err != nil {
		return errors.Join(err, unix.Close(dev))
	}
	defer d.Close()
	if t.fault != nil {
		return t.fault
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &server{trap: t, ctx: ctx, device: d, waiting: waiting{calls: map[uint64]waiter{}}}
	defer s.waiting.all.Wait()
	defer d.Close() // before waiting: it ends every walk that a Touch may be in
	defer cancel()
	defer context.AfterFunc(ctx, d.Stop)()
	b := make([]byte, fuse.BufferSize)
	for {
		n, err := d.Read(b)
		if n == 0 || err != nil {
			return err
		}
		h, err := s.request(b[:n])
		if err != nil {
			return err
		}
		if h != nil {
			s.apart(h)
		}
	}
}
