package frame

import (
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// tunPort is a tun device, or a socket that is the other end of one: one packet in
// each read and write.
type tunPort struct {
	conn *file
	opt  Options
}

func newTunPort(c *file, o Options) *tunPort { return &tunPort{c, o} }

func (p *tunPort) close() error { return p.conn.Close() }

func (p *tunPort) receive(take func(*stack.PacketBuffer)) error {
	s := slot{with: p.opt.Header}
	defer s.release()
	for {
		iov := s.vectors()
		var n int
		var errno unix.Errno
		err := p.conn.raw.Read(func(fd uintptr) bool {
			n, errno = readVectors(fd, iov)
			return errno != unix.EAGAIN
		})
		switch {
		case err != nil:
			return err
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return os.NewSyscallError("read", errno)
		case n == 0: // a device has no packet without bytes
			return ErrClosed
		}
		if pkt := s.take(n); pkt != nil {
			take(pkt)
		}
	}
}

func (p *tunPort) send(pkts []*stack.PacketBuffer) (sent int) {
	var (
		h    [headerSize]byte
		iovs [8]unix.Iovec
	)
	for _, pkt := range pkts {
		iov := iovs[:0]
		if p.opt.Header {
			describe(h[:], pkt, 0)
			iov = appendVector(iov, h[:])
		}
		for _, b := range pkt.AsSlices() {
			iov = appendVector(iov, b)
		}
		var errno unix.Errno
		if err := p.conn.raw.Control(func(fd uintptr) { errno = writeVectors(fd, iov) }); err != nil {
			return sent
		}
		if errno == 0 {
			sent++
		}
	}
	return sent
}
