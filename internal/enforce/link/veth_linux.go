package link

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Names of the interfaces, as the sandbox sees them. It can do nothing with the
// plane's end, as that takes capabilities.
const (
	Guest = "eth0"
	Plane = "plane0"
)

// Kinds of attribute that package unix does not name (linux/if_link.h).
const (
	vethInfoPeer = 1 // VETH_INFO_PEER
	gsoMaxSegs   = 40
)

// Veth lays out a link that needs no device node: a pair of interfaces, the
// second with a packet socket on it.
//
// Segments of TCP are not offloaded (one at most, which is as large as the
// link's largest packet), so that every frame is one packet; checksums are, and
// the virtio_net header says so.
func Veth(c Config) (Setup, error) {
	if err := c.check(); err != nil {
		return Setup{}, err
	}
	r := &row{Setup{Header: true, Frames: true}}
	n := r.openRoutes()
	n.up("bring up the loopback interface", loopbackIndex, 0)
	peer := interfaceInfo(planeIndex, 0, 0)
	peer = attribute(peer, unix.IFLA_IFNAME, cstring(Plane))
	peer = attribute(peer, unix.IFLA_MTU, u32(MTU))
	peer = attribute(peer, unix.IFLA_ADDRESS, PlaneMAC[:])
	pair := attribute(nil, unix.IFLA_INFO_KIND, []byte("veth"))
	pair = attribute(pair, unix.IFLA_INFO_DATA, attribute(nil, vethInfoPeer, peer))
	body := interfaceInfo(guestIndex, 0, 0)
	body = attribute(body, unix.IFLA_IFNAME, cstring(Guest))
	body = attribute(body, unix.IFLA_MTU, u32(MTU))
	body = attribute(body, unix.IFLA_ADDRESS, GuestMAC[:])
	body = attribute(body, gsoMaxSegs, u32(1))
	body = attribute(body, unix.IFLA_LINKINFO, pair)
	n.send("make the link", unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, false, body)
	n.noAddresses(planeIndex)
	n.noAddresses(guestIndex)
	// Up before the socket is bound, which would otherwise have ENETDOWN to tell.
	n.up("bring up the plane's end", planeIndex, unix.IFF_NOARP)
	r.packetSocket()
	r.guest(n, c)
	return r.s, nil
}

// packetSocket makes the plane's end of a veth pair.
func (r *row) packetSocket() {
	const what = "open the plane's end"
	// Without a protocol: it receives nothing until it is bound.
	r.call(what, unix.SYS_SOCKET, num(unix.AF_PACKET), num(unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), num(0))
	r.s.Link = r.keep()
	set := func(level, option, value int) *Call {
		return r.call(what, unix.SYS_SETSOCKOPT, slot(r.s.Link), num(level), num(option), mem(u32(uint32(value))), num(4))
	}
	set(unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	set(unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	// The first end that is brought up gets its queue only when the kernel's
	// worker has seen the carrier, and drops what is sent before
	// (net/core/link_watch.c): answers to a program's first packets.
	set(unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	// As much as may be had: beyond it packets are lost while the plane is busy.
	set(unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<20)
	set(unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<20)
	set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20).May = true
	set(unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20).May = true
	addr := make([]byte, unix.SizeofSockaddrLinklayer) // struct sockaddr_ll
	ne.PutUint16(addr[0:], unix.AF_PACKET)
	addr[3] = unix.ETH_P_ALL // most significant byte first
	ne.PutUint32(addr[4:], planeIndex)
	r.call(what, unix.SYS_BIND, slot(r.s.Link), mem(addr), num(len(addr)))
}

// guest lays out the sandbox's end and what else is needed of the namespace.
func (r *row) guest(n *routes, c Config) {
	n.up("bring up the link", guestIndex, unix.IFF_NOARP)
	n.address(c.Guest)
	n.route(c.Gateway.Addr())
	n.address(c.Guest6)
	n.local(c.Guest6.Addr())
	n.route(c.Gateway6.Addr())
	n.close()
	// A question may hold a connection for long: 6 repetitions, the default, end
	// after 127 s, 10 after half an hour.
	r.setting(c.Proc, "sys/net/ipv4/tcp_syn_retries", "10\n")
	// Every port is the sandbox's own.
	r.setting(c.Proc, "sys/net/ipv4/ip_unprivileged_port_start", "0\n")
	r.sockets()
}

// setting writes a file beneath /proc. That of the caller's network namespace is
// meant, whatever /proc it is (proc(5), /proc/sys/net).
func (r *row) setting(proc int, path, value string) {
	what := fmt.Sprintf("set %s", path)
	r.call(what, unix.SYS_OPENAT, num(proc), text(path), num(unix.O_WRONLY|unix.O_CLOEXEC))
	fd := r.keep()
	r.call(what, unix.SYS_WRITE, slot(fd), mem([]byte(value)), num(len(value)))
	r.call(what, unix.SYS_CLOSE, slot(fd))
}

// sockets makes those that the plane uses in the sandbox's namespace.
func (r *row) sockets() {
	r.call("open a socket that tells of sockets", unix.SYS_SOCKET, num(unix.AF_NETLINK), num(unix.SOCK_RAW|unix.SOCK_CLOEXEC), num(unix.NETLINK_SOCK_DIAG))
	r.s.Diag = r.keep()
	for i, family := range []int{unix.AF_INET, unix.AF_INET, unix.AF_INET6, unix.AF_INET6} {
		c := r.call("open a socket of the sandbox", unix.SYS_SOCKET, num(family), num(unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), num(0))
		c.May = family == unix.AF_INET6
		r.s.Seeds[i] = r.keep()
	}
}

func (c Config) check() error {
	for _, a := range []struct {
		name    string
		own, gw bool
	}{
		{"IPv4", c.Guest.IsValid() && c.Guest.Addr().Is4(), c.Gateway.IsValid() && c.Guest.Contains(c.Gateway.Addr())},
		{"IPv6", c.Guest6.IsValid() && c.Guest6.Addr().Is6(), c.Gateway6.IsValid() && c.Guest6.Contains(c.Gateway6.Addr())},
	} {
		if !a.own || !a.gw {
			return fmt.Errorf("internal error: the link's %s addresses are not of one network", a.name)
		}
	}
	return nil
}
