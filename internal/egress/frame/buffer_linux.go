package frame

import (
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// sizes are those of the two pieces that a frame is read into. A small frame takes
// the small piece away from its slot, a large one both; what lies between is
// copied. So what a frame keeps is at most about twice its size: frames wait in
// the stack for as long as nobody reads them.
var sizes = [2]int{2 << 10, 64 << 10}

// large is the size from which a frame is not copied.
const large = 40 << 10

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
	switch {
	case n > sizes[0]+sizes[1]:
		return nil // no IP packet is that large
	case n <= sizes[0]:
		s.give(&b, 0, n)
	case n < large:
		v := buffer.NewViewSize(n)
		c := copy(v.AsSlice(), s.views[0].AsSlice())
		copy(v.AsSlice()[c:], s.views[1].AsSlice())
		_ = b.Append(v) // it is the first
	default:
		s.give(&b, 0, sizes[0])
		s.give(&b, 1, n-sizes[0])
	}
	return stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: b})
}

// give moves n bytes of a piece to b, and the piece with them.
func (s *slot) give(b *buffer.Buffer, piece, n int) {
	v := s.views[piece]
	s.views[piece] = nil
	v.CapLength(n)
	_ = b.Append(v) // its size is not the limit of a buffer
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
