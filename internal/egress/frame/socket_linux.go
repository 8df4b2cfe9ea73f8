package frame

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// batch is how many frames are received or sent by one system call.
const batch = 16

// socketPort is a socket with one frame in each message.
type socketPort struct {
	conn *file
	opt  Options
}

func newSocketPort(c *file, o Options) *socketPort { return &socketPort{c, o} }

func (p *socketPort) close() error { return p.conn.Close() }

func (p *socketPort) receive(take func(*stack.PacketBuffer)) error {
	var (
		slots [batch]slot
		msgs  [batch]message
	)
	defer func() {
		for i := range slots {
			slots[i].release()
		}
	}()
	var failed error
	err := p.conn.raw.Read(func(fd uintptr) bool {
		for {
			for i := range slots {
				slots[i].with = p.opt.Header
				msgs[i].set(slots[i].vectors())
			}
			n, errno := receiveMessages(fd, msgs[:])
			switch {
			case errno == unix.EAGAIN:
				return false
			case errno == unix.EINTR || errno == unix.ENOBUFS:
				continue
			case errno != 0:
				failed = os.NewSyscallError("recvmmsg", errno)
				return true
			}
			for i := range n {
				if pkt := slots[i].take(msgs[i].size()); pkt != nil {
					take(pkt)
				}
			}
			if n < batch {
				return false // that was all; what comes after it wakes the runtime's poller
			}
		}
	})
	return errors.Join(err, failed)
}

// outbox is the memory for one call of sendmmsg(2).
type outbox struct {
	headers [batch][headerSize]byte
	iovs    [batch * 4]unix.Iovec
	msgs    [batch]message
}

var outboxes = sync.Pool{New: func() any { return new(outbox) }}

func (p *socketPort) send(pkts []*stack.PacketBuffer) (sent int) {
	box := outboxes.Get().(*outbox)
	defer func() {
		*box = outbox{} // no packet is kept alive by it
		outboxes.Put(box)
	}()
	var linkHeader uint16
	if p.opt.Ethernet {
		linkHeader = header.EthernetMinimumSize
	}
	for len(pkts) > 0 {
		n := min(len(pkts), batch)
		free := box.iovs[:0]
		for i, pkt := range pkts[:n] {
			at := len(free)
			if p.opt.Header {
				describe(box.headers[i][:], pkt, linkHeader)
				free = appendVector(free, box.headers[i][:])
			}
			for _, b := range pkt.AsSlices() {
				free = appendVector(free, b)
			}
			box.msgs[i].set(free[at:])
		}
		var done int
		err := p.conn.raw.Control(func(fd uintptr) { done = sendMessages(fd, box.msgs[:n]) })
		sent += done
		if err != nil || done == 0 {
			return sent
		}
		pkts = pkts[done:]
	}
	return sent
}
