package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Raw and packet sockets are P46's, families P29's, io_uring P26's.
func TestN04OtherProtocols(t *testing.T) {
	open := func(family, kind, protocol int) func(f *field) error {
		return func(*field) error { return closing(unix.Socket(family, kind, protocol)) }
	}
	attack{
		ID: "N4", Title: "ICMP, and netlink other than route",
		Reference: "ICMP tunnels; CVE-2022-25636 and others by netlink",
		Tiers:     process,
		Tries: []try{
			{Name: "ping socket", NoControl: "by the host's ping_group_range", Do: open(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP), Want: refused(unix.EACCES)},
			{Name: "netfilter", NoControl: "not in every kernel", Do: open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER), Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "xfrm", NoControl: "not in every kernel", Do: open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_XFRM), Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "sock_diag", Do: open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG), Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "route", Do: open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), Want: allowed("programs list their interfaces")},
		},
	}.run(t)
}
