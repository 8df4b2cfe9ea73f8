package link

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Numbers of the interfaces in the sandbox. They are fixed, so that messages can
// be prepared before the interfaces exist, and high, as a kernel may put
// interfaces of its own (tunnels) into a new namespace.
const (
	loopbackIndex = 1 // net/core/dev.c
	guestIndex    = 1001
	planeIndex    = 1002
)

// port is the netlink address of the row's socket. In a new namespace nobody
// else has one (netlink(7): addresses are per namespace and protocol).
const port = 1

var ne = binary.NativeEndian

// routes is a NETLINK_ROUTE socket and the number of its next message.
type routes struct {
	*row
	sock int
	seq  uint32
}

// openRoutes opens the socket and gives it its address.
func (r *row) openRoutes() *routes {
	const what = "open a netlink socket"
	r.call(what, unix.SYS_SOCKET, num(unix.AF_NETLINK), num(unix.SOCK_RAW|unix.SOCK_CLOEXEC), num(unix.NETLINK_ROUTE))
	n := &routes{row: r, sock: r.keep()}
	addr := ne.AppendUint16(nil, unix.AF_NETLINK) // struct sockaddr_nl
	addr = append(addr, 0, 0)
	addr = ne.AppendUint32(addr, port)
	addr = ne.AppendUint32(addr, 0)
	r.call(what, unix.SYS_BIND, slot(n.sock), mem(addr), num(len(addr)))
	return n
}

func (n *routes) close() { n.call("close the netlink socket", unix.SYS_CLOSE, slot(n.sock)) }

// send adds a request and the comparison of its acknowledgement, whose bytes are
// known beforehand, with what came. may lets it be refused.
func (n *routes) send(what string, kind, flags uint16, may bool, body []byte) {
	n.seq++
	head := ne.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body))) // struct nlmsghdr
	head = ne.AppendUint16(head, kind)
	head = ne.AppendUint16(head, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	head = ne.AppendUint32(head, n.seq)
	head = ne.AppendUint32(head, port)
	message := append(slices.Clip(head), body...)

	n.call(what, unix.SYS_SENDTO, slot(n.sock), mem(message), num(len(message)), num(0), num(0), num(0))
	const size = unix.NLMSG_HDRLEN + 4 + unix.NLMSG_HDRLEN // struct nlmsgerr after its own header
	want := ne.AppendUint32(nil, size)
	want = ne.AppendUint16(want, unix.NLMSG_ERROR)
	want = ne.AppendUint16(want, unix.NLM_F_CAPPED)
	want = ne.AppendUint32(want, n.seq)
	want = ne.AppendUint32(want, port)
	want = ne.AppendUint32(want, 0) // no error
	want = append(want, head...)
	got := make([]byte, size)
	n.call(what, unix.SYS_RECVFROM, slot(n.sock), mem(got), num(size), num(0), num(0), num(0))
	if !may {
		n.equal(what, got, want)
	}
}

// ackErrno is the error in an acknowledgement that was not what it must be.
func ackErrno(got []byte) unix.Errno {
	if len(got) < unix.NLMSG_HDRLEN+4 || ne.Uint16(got[4:]) != unix.NLMSG_ERROR {
		return 0
	}
	return unix.Errno(-int32(ne.Uint32(got[unix.NLMSG_HDRLEN:])))
}

// attribute appends one attribute, padded.
func attribute(to []byte, kind uint16, value []byte) []byte {
	to = ne.AppendUint16(to, uint16(4+len(value)))
	to = ne.AppendUint16(to, kind)
	to = append(to, value...)
	for len(to)%4 != 0 {
		to = append(to, 0)
	}
	return to
}

func u32(v uint32) []byte { return ne.AppendUint32(nil, v) }

func cstring(s string) []byte { return append([]byte(s), 0) }

// interfaceInfo is struct ifinfomsg.
func interfaceInfo(index int, flags, change uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = ne.AppendUint32(b, uint32(index))
	b = ne.AppendUint32(b, flags)
	return ne.AppendUint32(b, change)
}

// up brings an interface up; without ARP where there is nobody to ask.
func (n *routes) up(what string, index int, flags uint32) {
	n.send(what, unix.RTM_NEWLINK, 0, false, interfaceInfo(index, unix.IFF_UP|flags, unix.IFF_UP|flags))
}

// noAddresses keeps the kernel from giving an interface IPv6 addresses of its
// own, and so from sending anything by itself.
func (n *routes) noAddresses(index int) {
	const (
		addrGenMode     = 8 // IFLA_INET6_ADDR_GEN_MODE
		addrGenModeNone = 1
	)
	inet6 := attribute(nil, addrGenMode, []byte{addrGenModeNone})
	spec := attribute(nil, unix.AF_INET6, inet6)
	n.send("keep IPv6 off the plane's end", unix.RTM_NEWLINK, 0, true, attribute(interfaceInfo(index, 0, 0), unix.IFLA_AF_SPEC, spec))
}

// address gives the sandbox's interface an address.
func (n *routes) address(p netip.Prefix) {
	family, flags := family(p.Addr()), uint8(0)
	if p.Addr().Is6() {
		flags = unix.IFA_F_NODAD // nobody else can have it
	}
	b := []byte{family, uint8(p.Bits()), flags, unix.RT_SCOPE_UNIVERSE} // struct ifaddrmsg
	b = ne.AppendUint32(b, guestIndex)
	b = attribute(b, unix.IFA_LOCAL, p.Addr().AsSlice())
	b = attribute(b, unix.IFA_ADDRESS, p.Addr().AsSlice())
	n.send("give the link its address", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, p.Addr().Is6(), b)
}

// local has the kernel take packets for an IPv6 address of the sandbox from now
// on. It does so by itself when a worker of its own gets to it
// (net/ipv6/addrconf.c, addrconf_dad_work), which is later than a program's first
// connection may be.
func (n *routes) local(a netip.Addr) {
	b := make([]byte, unix.SizeofRtMsg) // struct rtmsg
	b[0], b[1], b[4], b[5], b[6], b[7] = family(a), uint8(a.BitLen()), unix.RT_TABLE_LOCAL, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_LOCAL
	b = attribute(b, unix.RTA_DST, a.AsSlice())
	b = attribute(b, unix.RTA_OIF, u32(guestIndex))
	n.send("take packets for the link's address", unix.RTM_NEWROUTE, unix.NLM_F_CREATE, true, b)
}

// route sends everything to the plane.
func (n *routes) route(gateway netip.Addr) {
	b := make([]byte, unix.SizeofRtMsg) // struct rtmsg
	b[0], b[4], b[5], b[6], b[7] = family(gateway), unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	b = attribute(b, unix.RTA_GATEWAY, gateway.AsSlice())
	b = attribute(b, unix.RTA_OIF, u32(guestIndex))
	n.send("route everything to the link", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, gateway.Is6(), b)
}

func family(a netip.Addr) uint8 {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}
