package frame

import (
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// sizes are those of the pieces that a frame is read into: a small frame takes
// a small piece away from its slot, and only large ones a large piece. Together
// they hold any IP packet with its link header.
var sizes = [...]int{2048, 16 << 10, 64 << 10}

// A slot is where one frame is read to.
type slot struct {
	header [headerSize]byte
	views  [len(sizes)]*buffer.View
	iov    [1 + len(sizes)]unix.Iovec
	with   bool // a virtio_net header
}

// vectors returns where to read to, with new pieces for those that were taken.
func (s *slot) vectors() []unix.Iovec {
	for i, v := range s.views {
		if v != nil {
			continue
		}
		v = buffer.NewViewSize(sizes[i])
		s.views[i] = v
		s.iov[1+i].Base = v.BasePtr()
		s.iov[1+i].SetLen(sizes[i])
	}
	if !s.with {
		return s.iov[1:]
	}
	s.iov[0].Base = &s.header[0]
	s.iov[0].SetLen(headerSize)
	return s.iov[:]
}

// take makes a packet of the n bytes that were read, nil of what is none.
func (s *slot) take(n int) *stack.PacketBuffer {
	if s.with {
		n -= headerSize
		switch segmented(s.header[:]) {
		case segmentNone, segmentTCPv4, segmentTCPv6:
		default:
			return nil // the link was made so that these do not come
		}
	}
	if n <= 0 {
		return nil
	}
	var b buffer.Buffer
	for i, size := range sizes {
		v := s.views[i]
		s.views[i] = nil
		v.CapLength(min(n, size))
		_ = b.Append(v)
		if n -= size; n <= 0 {
			break
		}
	}
	return stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: b})
}

// release gives the pieces back.
func (s *slot) release() {
	for i, v := range s.views {
		if v != nil {
			v.Release()
			s.views[i] = nil
		}
	}
}
