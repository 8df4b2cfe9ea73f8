package link

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Tun lays out a link by a tun device: fewer steps than a veth pair, where the
// device node may be opened. The node is that of the caller's view.
func Tun(c Config) (Setup, error) {
	if err := c.check(); err != nil {
		return Setup{}, err
	}
	r := &row{Setup{Header: true}}
	const node = "/dev/net/tun"
	what := fmt.Sprintf("open %s", node)
	r.call(what, unix.SYS_OPENAT, num(unix.AT_FDCWD), text(node), num(unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK))
	r.s.Link = r.keep()
	const setIndex = 0x400454da // TUNSETIFINDEX, which package unix does not name
	r.call("make the link", unix.SYS_IOCTL, slot(r.s.Link), num(setIndex), mem(u32(guestIndex)))
	request := make([]byte, 40) // struct ifreq
	copy(request, Guest)
	ne.PutUint16(request[unix.IFNAMSIZ:], unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_VNET_HDR)
	r.call("make the link", unix.SYS_IOCTL, slot(r.s.Link), num(unix.TUNSETIFF), mem(request))
	// Whoever closes the last descriptor of it would wait for the device to go, some
	// twenty milliseconds. Kept, it goes with its network namespace, which has
	// nobody wait.
	r.call("keep the link", unix.SYS_IOCTL, slot(r.s.Link), num(unix.TUNSETPERSIST), num(1))
	// The sandbox leaves checksums out: TUN_F_CSUM, by value.
	r.call("make the link", unix.SYS_IOCTL, slot(r.s.Link), num(unix.TUNSETOFFLOAD), num(1))
	n := r.openRoutes()
	n.up("bring up the loopback interface", loopbackIndex, 0)
	n.send("set the size of packets", unix.RTM_NEWLINK, 0, false, attribute(interfaceInfo(guestIndex, 0, 0), unix.IFLA_MTU, u32(MTU)))
	n.noAddresses(guestIndex)
	r.guest(n, c)
	return r.s, nil
}
