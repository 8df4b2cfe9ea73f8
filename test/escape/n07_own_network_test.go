package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestN07OwnNetwork(t *testing.T) {
	const siocsifflags, siocsifaddr, siocaddrt, brctl, tun = unix.SIOCSIFFLAGS, unix.SIOCSIFADDR, unix.SIOCADDRT, 0x89a0, 0x400454ca
	ifreq := func() uintptr {
		r := &[40]byte{}
		copy(r[:], "lo")
		r[16] = unix.IFF_UP
		return address(r)
	}
	// Outside in a network of its own, which every user can have.
	config := func(request uintptr) func(f *field) error {
		return func(f *field) error {
			flags := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWNET)
			if f.Inside {
				flags = 0
			}
			return forked(flags, sys(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, 0), sys(unix.SYS_IOCTL, kept, request, ifreq()))
		}
	}
	no := refused(unix.EPERM)
	attack{
		ID: "N7", Title: "configure the own network: interfaces, addresses, routes, tunnels",
		Reference: "CAP_NET_ADMIN in a user namespace, the start of most netfilter exploits",
		Tiers:     process,
		Tries: []try{
			{Name: "flags of an interface", Do: config(siocsifflags), Want: no},
			{Name: "address", NoControl: "needs a whole request", Do: config(siocsifaddr), Want: no},
			{Name: "route", NoControl: "needs a whole request", Do: config(siocaddrt), Want: no},
			{Name: "bridge", NoControl: "not in every kernel", Do: config(brctl), Want: refused(unix.EPERM, unix.ENOPKG, unix.ENOTTY)},
			{Name: "tunnel", NoControl: "needs a device", Do: func(*field) error { return closing(unix.Open("/dev/net/tun", unix.O_RDWR, 0)) }, Want: refused(unix.ENOENT)},
			{Name: "netlink", Sh: "ip link add dummy0 type dummy || ip link set lo down || ip route add default dev lo || ip addr add 10.0.0.1/8 dev lo", NoControl: "it would change the host", Want: refused()},
			{Name: "sysctl", NoControl: "root only", Do: func(*field) error {
				return closing(unix.Open("/proc/sys/net/ipv4/conf/all/route_localnet", unix.O_WRONLY, 0))
			}, Want: refused(unix.EROFS, unix.EACCES)},
			{Name: "bind to a device", NoControl: "every user may, once", Do: func(*field) error {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
				if err != nil {
					return err
				}
				return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "eth0")
			}, Want: refused(unix.ENODEV, unix.EPERM)},
		},
	}.run(t)
}
