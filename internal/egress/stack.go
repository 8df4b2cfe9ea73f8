//go:build linux

package egress

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"ambit.dev/ambit/internal/egress/name"
)

// nic is the number of the only interface.
const nic = 1

// Sizes of buffers of one connection in the stack. What a connection may have
// goes down with their number.
const (
	minBuffer = 32 << 10
	maxBuffer = 2 << 20 // of what is sent to the sandbox
	// What the sandbox may send and nobody has taken yet. The stack offers half of
	// it as the window, and that has to fit what the link's socket holds for an
	// ordinary user, or frames are lost while the plane is busy.
	window = 1 << 20
)

// start makes the stack and has it answer.
func (p *Plane) start() error {
	p.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := p.tune(); err != nil {
		return err
	}
	var err error
	if p.poller, err = newPoller(); err != nil {
		return err
	}
	p.serving.Go(p.poller.run)
	// On a link of its own nobody is flooded by answers, and each one that is left
	// out is a program that waits.
	p.stack.SetICMPLimit(1e9)
	// Handlers first: the first packet finds them there.
	forwarder := tcp.NewForwarder(p.stack, window, maxInFlight, func(r *tcp.ForwarderRequest) { p.openers.Do(func() { p.tcp(r) }) })
	p.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, forwarder.HandlePacket)
	p.stack.SetTransportProtocolHandler(udp.ProtocolNumber, p.datagram)
	if err := p.stack.CreateNICWithOptions(nic, p.cfg.Link, stack.NICOptions{Disabled: true}); err != nil {
		return fmt.Errorf("make the plane's interface: %v", err)
	}
	for _, a := range []netip.Addr{Gateway.Addr(), Nameserver, Gateway6.Addr()} {
		pa := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddrFromSlice(a.AsSlice()).WithPrefix()}
		if a.Is6() {
			pa.Protocol = ipv6.ProtocolNumber
		}
		if err := p.stack.AddProtocolAddress(nic, pa, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("give the plane %s: %v", a, err)
		}
	}
	p.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}, {Destination: header.IPv6EmptySubnet, NIC: nic}})
	if err := p.stack.SetPromiscuousMode(nic, true); err != nil { // take what is for any address
		return fmt.Errorf("take all packets: %v", err)
	}
	if err := p.stack.SetSpoofing(nic, true); err != nil { // and answer as that address
		return fmt.Errorf("answer as any address: %v", err)
	}
	if err := p.serveNames(); err != nil {
		return err
	}
	p.work.run(p.watch)
	p.work.run(p.tellLookups)
	if err := p.stack.EnableNIC(nic); err != nil {
		return fmt.Errorf("enable the plane's interface: %v", err)
	}
	return nil
}

// tune sets the options of TCP.
func (p *Plane) tune() error {
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: window, Max: window}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: window, Max: maxBuffer}
	// The other end is this machine's kernel and nothing is late on the way. A
	// connection that waits to be forgotten would swallow the next one from the
	// same port.
	wait := tcpip.TCPTimeWaitTimeoutOption(0)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &receive, &send, &wait} {
		if err := p.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("set %T: %v", o, err)
		}
	}
	return nil
}

// serveNames answers lookups at the address of the name server.
func (p *Plane) serveNames() error {
	at := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(Nameserver.As4()), Port: 53}
	packets, err := gonet.DialUDP(p.stack, &at, nil, ipv4.ProtocolNumber)
	if err != nil {
		return fmt.Errorf("serve names: %w", err)
	}
	streams, err := gonet.ListenTCP(p.stack, at, ipv4.ProtocolNumber)
	if err != nil {
		return fmt.Errorf("serve names: %w", err)
	}
	s := &name.Server{Table: p.names, Known: p.cfg.Known, Refused: p.lookedUp}
	if p.cfg.Lookups != nil {
		s.Records = records{p}
	}
	p.work.run(func() { s.ServePackets(packets) })
	p.work.run(func() { s.ServeStreams(streams) })
	p.work.run(func() {
		<-p.ctx.Done()
		_ = packets.Close()
		streams.Shutdown()
		_ = streams.Close()
	})
	return nil
}
