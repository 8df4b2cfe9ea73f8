//go:build linux

package egress

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A couple carries datagrams between the sandbox and the host's socket, until
// there was none for a while. It has a buffer only while a datagram is moved.
type couple struct {
	guest tcpip.Endpoint
	queue *waiter.Queue
	host  *net.UDPConn
	idle  time.Duration

	last        atomic.Int64 // nanoseconds since start at which a datagram came, either way
	start       time.Time
	once        sync.Once
	unreachable bool // the other end said that nobody listens; set before run returns
}

func newCouple(guest tcpip.Endpoint, queue *waiter.Queue, host *net.UDPConn, idle time.Duration) *couple {
	return &couple{guest: guest, queue: queue, host: host, idle: idle, start: time.Now()}
}

// errQuiet ends a couple that had nothing to carry.
var errQuiet = errors.New("no datagram for a while")

// maxDatagram is more than any datagram has.
const maxDatagram = 65_536

var datagrams = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// run carries until one side has ended.
func (c *couple) run(f *flow) End {
	raw, err := c.host.SyscallConn()
	if err != nil {
		return Reset
	}
	ends := make(chan error, 3)
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() { ends <- c.up(&f.out) })
	all.Go(func() { ends <- c.down(raw, &f.in) })
	all.Go(func() { ends <- c.quiet(stop) })
	first := <-ends
	c.unreachable = errors.Is(first, unix.ECONNREFUSED)
	close(stop)
	c.close()
	all.Wait()
	switch {
	case errors.Is(first, errQuiet):
		return Idle
	case c.unreachable:
		return Reset
	default:
		return Done
	}
}

// quiet returns when no datagram has come for as long as is waited.
func (c *couple) quiet(stop chan struct{}) error {
	for {
		left := c.idle - time.Since(c.start) + time.Duration(c.last.Load())
		if left <= 0 {
			return errQuiet
		}
		select {
		case <-stop:
			return nil
		case <-time.After(left):
		}
	}
}

func (c *couple) seen(count *atomic.Uint64, n int) {
	c.last.Store(int64(time.Since(c.start)))
	count.Add(uint64(n))
}

// up carries what the sandbox sends.
func (c *couple) up(count *atomic.Uint64) error {
	entry, readable := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventErr | waiter.EventHUp)
	c.queue.EventRegister(&entry)
	defer c.queue.EventUnregister(&entry)
	for {
		n, wait, err := c.upOne()
		switch {
		case err != nil:
			return err
		case wait:
			<-readable
		default:
			c.seen(count, n)
		}
	}
}

func (c *couple) upOne() (n int, wait bool, err error) {
	buf := datagrams.Get().(*[maxDatagram]byte)
	defer datagrams.Put(buf)
	w := tcpip.SliceWriter(buf[:])
	r, terr := c.guest.Read(&w, tcpip.ReadOptions{})
	if terr != nil {
		if _, ok := terr.(*tcpip.ErrWouldBlock); ok {
			return 0, true, nil
		}
		return 0, false, errors.New(terr.String())
	}
	if _, err := c.host.Write(buf[:r.Count]); err != nil && !passing(err) {
		return 0, false, err
	}
	return r.Count, false, nil
}

// passing reports whether an error concerns one datagram only.
func passing(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EPERM) ||
		errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH)
}

// down carries what the host's socket receives.
func (c *couple) down(raw syscall.RawConn, count *atomic.Uint64) error {
	for {
		var buf *[maxDatagram]byte
		var n int
		var err error
		rerr := raw.Read(func(fd uintptr) bool {
			buf = datagrams.Get().(*[maxDatagram]byte)
			if n, err = unix.Read(int(fd), buf[:]); errors.Is(err, unix.EAGAIN) {
				datagrams.Put(buf)
				return false
			}
			return true
		})
		if rerr != nil {
			return rerr
		}
		if err == nil {
			_, terr := c.guest.Write(bytes.NewReader(buf[:n]), tcpip.WriteOptions{})
			if refused(terr) {
				err = errors.New(terr.String())
			} else {
				c.seen(count, n)
			}
		}
		datagrams.Put(buf)
		if err != nil && !passing(err) && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// refused reports whether the program has closed its end. Other errors concern
// one datagram.
func refused(err tcpip.Error) bool {
	switch err.(type) {
	case *tcpip.ErrConnectionRefused, *tcpip.ErrClosedForSend, *tcpip.ErrInvalidEndpointState:
		return true
	default:
		return false
	}
}

// close ends both sides.
func (c *couple) close() {
	c.once.Do(func() {
		c.guest.Close()
		_ = c.host.Close()
	})
}
