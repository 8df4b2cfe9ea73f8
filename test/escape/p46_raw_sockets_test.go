package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP46RawSockets(t *testing.T) {
	open := func(family, kind, protocol int) func(f *field) error {
		return func(*field) error { return closing(unix.Socket(family, kind, protocol)) }
	}
	attack{
		ID: "P46", Title: "raw and packet sockets, also as root",
		Reference: "CAP_NET_RAW in containers: ARP and DNS spoofing; CVE-2020-14386",
		Tiers:     process,
		Tries: []try{
			{Name: "raw TCP", Root: true, Do: open(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP), Want: refused(unix.EPERM)},
			{Name: "raw ICMP", Root: true, Do: open(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP), Want: refused(unix.EPERM)},
			{Name: "raw ICMPv6", Root: true, Do: open(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6), Want: refused(unix.EPERM)},
			{Name: "raw IP", Root: true, Do: open(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW), Want: refused(unix.EPERM, unix.EPROTONOSUPPORT)},
			{Name: "packet", NoControl: "not in every kernel", Do: open(unix.AF_PACKET, unix.SOCK_RAW, 0x300), Want: refused(unix.EAFNOSUPPORT)},
		},
	}.run(t)
}
