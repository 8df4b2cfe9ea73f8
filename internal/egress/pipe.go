//go:build linux

package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"ambit.dev/ambit/internal/workers"
)

// chunk is the most that is taken from the host's socket at once: what fits one
// packet of the link. The stack leaves room for the largest headers that there can
// be (sender.sendData in gVisor's tcp); what is beyond goes in a packet of its own.
const chunk = 65_520 - header.TCPTotalHeaderMaximumSize - 1

// A pipe carries one TCP connection between the sandbox and the host's socket.
//
// It has no buffer of its own: bytes go from the stack's packets to the socket,
// and from the socket into packets. It has no goroutine either: each direction is
// woken by the end that it waits for, and carried by whoever is free. So an idle
// connection costs little more than the stack's own state.
type pipe struct {
	guest  tcpip.Endpoint
	queue  *waiter.Queue
	fd     int // the host's socket
	poller *poller
	flow   *flow
	entry  waiter.Entry
	look   *look       // used by the direction up; nil when it is over
	up     direction   // from the sandbox
	down   direction   // to it
	hung   atomic.Bool // the host's socket has ended, or half of it
	left   atomic.Int32
	done   func(End)

	mu      sync.Mutex
	state   pipeState // guarded by mu
	started bool      // guarded by mu; before that nobody carries
}

type pipeState uint8

// The states of a pipe.
const (
	pipeOpen pipeState = iota
	pipeBroken
	pipeClosed
)

// newPipe takes both ends over. share bounds the buffers of the guest's end.
func newPipe(o *poller, carriers *workers.Pool, guest tcpip.Endpoint, queue *waiter.Queue, host *net.TCPConn, share int) (*pipe, error) {
	fd, err := takeOver(host)
	if err != nil {
		guest.Abort()
		guest.Close()
		return nil, err
	}
	if share < maxBuffer {
		// A fixed size; otherwise the stack adapts it.
		guest.SocketOptions().SetReceiveBufferSize(int64(min(share, window)), true)
		guest.SocketOptions().SetSendBufferSize(int64(share), true)
	}
	p := &pipe{guest: guest, queue: queue, fd: fd, poller: o}
	p.up.init(carriers, o, p.stepUp, p.over)
	p.down.init(carriers, o, p.stepDown, p.over)
	return p, nil
}

// takeOver takes the socket of a connection from the runtime.
func takeOver(c *net.TCPConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, errors.Join(err, c.Close())
	}
	fd := -1
	cerr := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, cerr, c.Close())
}

// start carries until both directions have ended, and calls done then. A pipe that
// was broken off before is not started, and done not called.
//
// It holds the mutex to its end: a direction looks at the state before each step,
// so neither ends, nor is the pipe closed, while it is being started.
func (p *pipe) start(f *flow, done func(End)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != pipeOpen {
		return errBroken
	}
	p.flow, p.done, p.started = f, done, true
	p.left.Store(2)
	const events = waiter.ReadableEvents | waiter.WritableEvents | waiter.EventErr | waiter.EventHUp
	p.entry = waiter.NewFunctionEntry(events, p.told)
	p.queue.EventRegister(&p.entry)
	if err := p.poller.add(p); err != nil {
		p.breakOff() // the directions see it, and end
		return nil
	}
	// The socket may have been readable before it was added; the poller says so
	// at once. The guest's end does not.
	p.up.wake()
	return nil
}

// told is called by the stack, while it holds locks: it only wakes.
func (p *pipe) told(mask waiter.EventMask) {
	const broken = waiter.EventErr | waiter.EventHUp
	if mask&(waiter.ReadableEvents|broken) != 0 {
		p.up.wake()
	}
	if mask&(waiter.WritableEvents|broken) != 0 {
		p.down.wake()
	}
}

// over counts directions that have ended. One that did not end well breaks both
// sides off: a reset stays a reset.
func (p *pipe) over(err error) {
	if err != nil {
		p.abort()
	}
	if p.left.Add(-1) > 0 {
		return
	}
	p.mu.Lock()
	end := Done
	if p.state == pipeBroken {
		end = Reset
	}
	p.mu.Unlock()
	p.done(end)
}

// broken reports whether the pipe was broken off.
func (p *pipe) broken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state != pipeOpen
}

var errBroken = errors.New("broken off")

// stepUp carries what the sandbox has sent.
func (p *pipe) stepUp() (more bool, err error) {
	if p.broken() {
		return false, errBroken
	}
	if p.look != nil {
		if err := p.looked(); err != nil {
			return errors.Is(err, errWait), err
		}
	}
	w := hostWriters.Get().(*hostWriter)
	defer w.done()
	ready, _ := p.guest.GetSockOptInt(tcpip.ReceiveQueueSizeOption) // the read says what is wrong
	w.fd, w.want = p.fd, max(ready, 1)
	_, terr := p.guest.Read(w, tcpip.ReadOptions{Peek: true})
	if w.written > 0 {
		p.flow.out.Add(uint64(w.written))
		left := eater(w.written)
		if _, gone := p.guest.Read(&left, tcpip.ReadOptions{}); gone != nil {
			return false, errors.New(gone.String())
		}
	}
	switch {
	case w.err != nil:
		return false, w.err
	case w.full:
		if tcp.EndpointState(p.guest.State()) == tcp.StateError {
			return false, errBroken // the host may take nothing for a long time
		}
		return true, errWait
	case w.n > 0:
		return true, nil
	}
	switch terr.(type) {
	case *tcpip.ErrWouldBlock:
		return true, errWait
	case *tcpip.ErrClosedForReceive:
		if err := unix.Shutdown(p.fd, unix.SHUT_WR); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return false, err
		}
		return false, nil
	default:
		return false, errors.New(terr.String())
	}
}

// stepDown carries what the host's socket has received.
func (p *pipe) stepDown() (more bool, err error) {
	if p.broken() {
		return false, errBroken
	}
	n, err := waiting(p.fd, p.hung.Load())
	switch {
	case errors.Is(err, io.EOF):
		if terr := p.guest.Shutdown(tcpip.ShutdownWrite); terr != nil {
			return false, errors.New(terr.String())
		}
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return true, errWait
	}
	written, terr := p.guest.Write(&hostReader{fd: p.fd, left: min(n, chunk)}, tcpip.WriteOptions{Atomic: true})
	p.flow.in.Add(uint64(written))
	if terr == nil {
		return true, nil
	}
	if _, ok := terr.(*tcpip.ErrWouldBlock); ok {
		return true, errWait
	}
	return false, errors.New(terr.String())
}

// waiting is how many bytes wait in a socket; io.EOF says that none will come. That
// is looked for where the poller has told of it alone: it is asked after each answer.
func waiting(fd int, hung bool) (int, error) {
	if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || n > 0 || !hung {
		return n, err
	}
	var one [1]byte
	for {
		n, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// A hostReader gives the stack bytes that wait in a socket, as many as it has
// room for. There is no other reader: what was there is there.
type hostReader struct{ fd, left int }

// Len is how much there is.
func (r *hostReader) Len() int { return r.left }

func (r *hostReader) Read(b []byte) (int, error) {
	if len(b) > r.left {
		b = b[:r.left]
	}
	if len(b) == 0 { // the stack asks whether there is an end
		return 0, nil
	}
	for {
		n, err := unix.Read(r.fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.ErrUnexpectedEOF
		}
		r.left -= n
		return n, nil
	}
}

// abort breaks both sides off, with a reset each. The descriptor stays, as a
// direction may be using it; the directions see that it is over.
func (p *pipe) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breakOff()
}

// breakOff is abort, with the mutex held.
func (p *pipe) breakOff() {
	if p.state != pipeOpen {
		return
	}
	p.state = pipeBroken
	p.guest.Abort()
	_ = disconnect(p.fd) // what is not connected any more needs none
	if p.started {
		p.up.wake()
		p.down.wake()
	}
}

// drainTime is how long a program has to take what it was sent before the other
// side closed.
const drainTime = 60 * time.Second

// close closes both sides.
func (p *pipe) close() {
	p.mu.Lock()
	started := p.started
	p.mu.Unlock()
	if started {
		p.queue.EventUnregister(&p.entry)
	}
	if p.look != nil { // what was said was not enough
		p.look.over()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = pipeClosed
	p.poller.remove(p)
	p.guest.Close()
	_ = unix.Close(p.fd)
}

// taken reports whether the sandbox has taken what it was sent, or never will.
func (p *pipe) taken() bool {
	n, err := p.guest.GetSockOptInt(tcpip.SendQueueSizeOption)
	return err != nil || n == 0 || p.broken() || tcp.EndpointState(p.guest.State()) == tcp.StateError
}

// drain waits until what was sent to the sandbox is taken, for a while. The
// connection is counted meanwhile.
func (p *pipe) drain(ctx context.Context) {
	pause := 5 * time.Millisecond
	for waited := time.Duration(0); waited < drainTime; waited += pause {
		if p.taken() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
	p.abort()
}
