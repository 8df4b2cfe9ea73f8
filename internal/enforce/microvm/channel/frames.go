package channel

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// LargestFrame bounds a frame: a virtio_net header and an IP packet.
const LargestFrame = 10 + 1<<16

// Link is what the guest's one interface beside lo looks like from inside.
type Link struct {
	Guest    netip.Prefix `json:"guest"`
	Gateway  netip.Prefix `json:"gateway"`
	Guest6   netip.Prefix `json:"guest6"`
	Gateway6 netip.Prefix `json:"gateway6"`
}

// A FrameReader takes frames from a stream, each after its length.
type FrameReader struct{ r *bufio.Reader }

// NewFrameReader reads frames from r.
func NewFrameReader(r io.Reader) *FrameReader {
	return &FrameReader{bufio.NewReaderSize(r, 4+LargestFrame)}
}

// Next returns the next frame, which is good until the call after it.
//
// Security: a length that no frame has ends the stream: its framing is lost.
func (f *FrameReader) Next() ([]byte, error) {
	head, err := f.r.Peek(4)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head)
	if n == 0 || n > LargestFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes", errMessage, n)
	}
	b, err := f.r.Peek(4 + int(n))
	if err != nil {
		return nil, noEnd(err)
	}
	_, err = f.r.Discard(len(b)) // which leaves it where it is
	return b[4:], err
}

// AppendFrame appends a frame as it goes over a stream.
func AppendFrame(to, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(frame))), frame...)
}
