package frame

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// The header before each frame of a socket with PACKET_VNET_HDR, or a tun device
// with IFF_VNET_HDR (linux/virtio_net.h, struct virtio_net_hdr). Both ends are
// this machine: it is in native byte order.
const (
	headerSize     = 10
	needsChecksum  = 1 // flags
	segmentNone    = 0 // gso_type
	segmentTCPv4   = 1
	segmentTCPv6   = 4
	segmentECNFlag = 0x80
)

// segmented is what a header says of a frame's segmentation.
func segmented(h []byte) uint8 { return h[1] &^ segmentECNFlag }

// describe fills in the header of a packet that the stack made. linkHeader is
// the size of the link header in front of it.
func describe(h []byte, pkt *stack.PacketBuffer, linkHeader uint16) {
	clear(h)
	o := pkt.GSOOptions
	if o.Type == stack.GSONone {
		return
	}
	ne := binary.NativeEndian
	ne.PutUint16(h[2:], uint16(pkt.HeaderSize()))
	if o.NeedsCsum {
		h[0] = needsChecksum
		ne.PutUint16(h[6:], linkHeader+o.L3HdrLen)
		ne.PutUint16(h[8:], o.CsumOffset)
	}
	if pkt.Data().Size() <= int(o.MSS) {
		return
	}
	h[1] = segmentTCPv4
	if pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber {
		h[1] = segmentTCPv6
	}
	ne.PutUint16(h[4:], o.MSS)
}
