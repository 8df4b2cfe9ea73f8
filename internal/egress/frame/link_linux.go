package frame

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Gateway is the link address of the plane.
const Gateway = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01")

// Options say how a link is framed.
type Options struct {
	MTU      uint32
	Ethernet bool // Ethernet frames; otherwise IP packets
	// Guest is the link address of the sandbox's end, "" to find it by ARP.
	Guest tcpip.LinkAddress
	// Header says that a virtio_net header goes before each frame: checksums are
	// then left out on the way in and, where the stack wants it, on the way out.
	Header bool
}

// A Link is the stack's end of a link.
type Link struct {
	opt  Options
	port port

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher // guarded by mu
	closed     bool                    // guarded by mu
	onClose    func()                  // guarded by mu

	err     error // set before done is closed
	done    chan struct{}
	end     sync.Once
	reading sync.WaitGroup
	sending sync.WaitGroup
	passing sync.Mutex // held while a packet is passed to the stack
	dropped atomic.Uint64
}

// A port moves frames.
type port interface {
	// receive waits for frames and hands each to take, without its header.
	receive(take func(*stack.PacketBuffer)) error
	// send sends what can be sent without waiting, and returns how many.
	send(pkts []*stack.PacketBuffer) int
	close() error
}

var (
	_ stack.LinkEndpoint = (*Link)(nil)
	_ stack.GSOEndpoint  = (*Link)(nil)
)

func newLink(o Options, p port) *Link {
	return &Link{opt: o, port: p, done: make(chan struct{})}
}

// Socket makes a link of a packet socket that is bound to an interface, or of a
// socket that carries one frame in each datagram. It takes the descriptor over.
func Socket(fd int, o Options) (*Link, error) {
	conn, err := pollable(fd, "link")
	if err != nil {
		return nil, err
	}
	return newLink(o, newSocketPort(conn, o)), nil
}

// Tun makes a link of a tun device. It takes the descriptor over.
func Tun(fd int, o Options) (*Link, error) {
	o.Ethernet = false
	conn, err := pollable(fd, "tun")
	if err != nil {
		return nil, err
	}
	return newLink(o, newTunPort(conn, o)), nil
}

// pollable puts a descriptor under the care of the runtime's poller.
func pollable(fd int, name string) (*file, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("take over the link: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take over the link: %w", err), f.Close())
	}
	return &file{f, raw}, nil
}

type file struct {
	*os.File
	raw syscall.RawConn
}

// Done is closed when the link has ended; Err says why then, nil after Close.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the link ended. It is valid once Done is closed.
func (l *Link) Err() error { return l.err }

// Dropped is the number of frames that the sandbox's end did not take.
func (l *Link) Dropped() uint64 { return l.dropped.Load() }

// Attach has the link deliver to d, from its first packet on.
func (l *Link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.dispatcher == nil && d != nil && !l.closed
	l.dispatcher = d
	if first {
		l.reading.Go(l.read)
	}
}

// read delivers packets until the link ends.
func (l *Link) read() {
	err := l.port.receive(l.deliver)
	l.mu.RLock()
	closed := l.closed
	l.mu.RUnlock()
	if closed {
		err = nil
	}
	l.finish(err)
}

func (l *Link) finish(err error) {
	l.end.Do(func() {
		l.err = err
		close(l.done)
	})
}

// Between calls do while no packet is on its way into the stack.
func (l *Link) Between(do func()) {
	l.passing.Lock()
	defer l.passing.Unlock()
	do()
}

// deliver passes one packet to the stack. pkt has its link header still.
func (l *Link) deliver(pkt *stack.PacketBuffer) {
	defer pkt.DecRef()
	l.passing.Lock()
	defer l.passing.Unlock()
	l.mu.RLock()
	d := l.dispatcher
	l.mu.RUnlock()
	if d == nil || !l.ParseHeader(pkt) {
		return
	}
	switch p := pkt.NetworkProtocolNumber; p {
	case header.IPv4ProtocolNumber, header.IPv6ProtocolNumber:
		d.DeliverNetworkPacket(p, pkt)
	case header.ARPProtocolNumber:
		if l.opt.Guest == "" {
			d.DeliverNetworkPacket(p, pkt)
		}
	}
}

// ParseHeader takes the link header off, or finds what an IP packet is.
func (l *Link) ParseHeader(pkt *stack.PacketBuffer) bool {
	if l.opt.Ethernet {
		b, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
		if ok {
			pkt.NetworkProtocolNumber = header.Ethernet(b).Type()
		}
		return ok
	}
	b, ok := pkt.Data().PullUp(1)
	if !ok {
		return false
	}
	switch header.IPVersion(b) {
	case header.IPv4Version:
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	case header.IPv6Version:
		pkt.NetworkProtocolNumber = header.IPv6ProtocolNumber
	default:
		return false
	}
	return true
}

// AddHeader puts the link header before a packet.
func (l *Link) AddHeader(pkt *stack.PacketBuffer) {
	if !l.opt.Ethernet {
		return
	}
	to := l.opt.Guest
	if to == "" {
		to = pkt.EgressRoute.RemoteLinkAddress
	}
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: Gateway, DstAddr: to, Type: pkt.NetworkProtocolNumber,
	})
}

// WritePackets sends packets. What the sandbox's end does not take at once is
// dropped: its TCP repeats, and nobody else waits for it.
//
// The answer to a new connection is sent by another goroutine. The stack sends
// it with the connection locked, and the sandbox's kernel answers within the
// system call; the stack's processor would then try that lock over and over
// until the call has returned, and take the processor from whoever holds it.
func (l *Link) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	pkts := list.AsSlice()
	if len(pkts) == 1 && opens(pkts[0]) {
		l.later(pkts[0].Clone())
		return 1, nil
	}
	l.send(pkts)
	return len(pkts), nil
}

func (l *Link) send(pkts []*stack.PacketBuffer) {
	l.dropped.Add(uint64(len(pkts) - l.port.send(pkts)))
}

// opens reports whether a packet is the answer to a new connection.
func opens(pkt *stack.PacketBuffer) bool {
	if pkt.TransportProtocolNumber != header.TCPProtocolNumber {
		return false
	}
	h := header.TCP(pkt.TransportHeader().Slice())
	return len(h) >= header.TCPMinimumSize && h.Flags().Contains(header.TCPFlagSyn)
}

// later sends a packet from a goroutine of its own.
func (l *Link) later(pkt *stack.PacketBuffer) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.sending.Add(1)
	}
	l.mu.Unlock()
	if closed {
		pkt.DecRef()
		return
	}
	go func() {
		defer l.sending.Done()
		defer pkt.DecRef()
		l.send([]*stack.PacketBuffer{pkt})
	}()
}

// Close ends the link and waits for its goroutine.
func (l *Link) Close() {
	l.mu.Lock()
	first, then := !l.closed, l.onClose
	l.closed, l.dispatcher = true, nil
	l.mu.Unlock()
	if first {
		_ = l.port.close() // nothing of a link is lost by closing it
	}
	l.reading.Wait()
	l.sending.Wait()
	l.finish(nil)
	if first && then != nil {
		then()
	}
}

// MTU is the size of the largest IP packet.
func (l *Link) MTU() uint32 { return l.opt.MTU }

// SetMTU does nothing: both ends were told when the link was made.
func (l *Link) SetMTU(uint32) {}

// MaxHeaderLength is the size of the link header.
func (l *Link) MaxHeaderLength() uint16 {
	if l.opt.Ethernet {
		return header.EthernetMinimumSize
	}
	return 0
}

// LinkAddress is that of the plane.
func (l *Link) LinkAddress() tcpip.LinkAddress {
	if l.opt.Ethernet {
		return Gateway
	}
	return ""
}

// SetLinkAddress does nothing.
func (l *Link) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities say who computes checksums, and who finds link addresses.
func (l *Link) Capabilities() (c stack.LinkEndpointCapabilities) {
	if l.opt.Header {
		c |= stack.CapabilityRXChecksumOffload
	}
	if l.opt.Ethernet && l.opt.Guest == "" {
		c |= stack.CapabilityResolutionRequired
	}
	return c
}

// GSOMaxSize is the largest TCP segment that the kernel cuts up.
func (l *Link) GSOMaxSize() uint32 {
	if l.opt.Header {
		return l.opt.MTU
	}
	return 0
}

// SupportedGSO says who cuts segments up.
func (l *Link) SupportedGSO() stack.SupportedGSO {
	if l.opt.Header {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

// IsAttached reports whether packets are delivered.
func (l *Link) IsAttached() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dispatcher != nil
}

// Wait waits for the reading goroutine.
func (l *Link) Wait() { l.reading.Wait() }

// ARPHardwareType is the kind of link.
func (l *Link) ARPHardwareType() header.ARPHardwareType {
	if l.opt.Ethernet {
		return header.ARPHardwareEther
	}
	return header.ARPHardwareNone
}

// SetOnCloseAction sets what Close does at its end.
func (l *Link) SetOnCloseAction(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onClose = f
}
