package escape_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP29SocketFamilies(t *testing.T) {
	open := func(family, kind, protocol int) error { return closing(unix.Socket(family, kind, protocol)) }
	attack{
		ID: "P29", Title: "socket families that belong to no namespace, or are kernel surface",
		Reference: "CVE-2010-3904 (RDS), CVE-2021-43267 (TIPC), CVE-2017-7308 (PACKET)",
		Tiers:     process,
		Tries: []try{
			{Name: "any family", Want: refused(unix.EAFNOSUPPORT), Do: func(f *field) (err error) {
				done := false
				for family := range 64 {
					switch family {
					case unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK:
						continue
					}
					for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
						if e := open(family, kind, 0); e == nil {
							done = true
							f.note.WriteString("family " + itoa(family) + " ")
						} else {
							err = e
						}
						if f.Inside && !errors.Is(err, unix.EAFNOSUPPORT) {
							return err
						}
					}
				}
				if done {
					return nil
				}
				return err
			}},
			{Name: "a family with high bits", NoControl: "the kernel looks at the low half", Do: func(*field) error {
				_, err := raw(unix.SYS_SOCKET, unix.AF_ALG|1<<32, unix.SOCK_SEQPACKET, 0)
				return err
			}, Want: refused(unix.EAFNOSUPPORT)},
			{Name: "pairs", NoControl: "TIPC is not in every kernel", Do: func(*field) error {
				_, err := unix.Socketpair(30, unix.SOCK_SEQPACKET, 0)
				return err
			}, Want: refused(unix.EAFNOSUPPORT)},
			{Name: "MPTCP", NoControl: "not in every kernel", Do: func(*field) error { return open(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP) }, Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "SCTP", NoControl: "not in every kernel", Do: func(*field) error { return open(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP) }, Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "SCTP by its type", NoControl: "not in every kernel", Do: func(*field) error { return open(unix.AF_INET, unix.SOCK_SEQPACKET, 0) }, Want: refused(unix.ESOCKTNOSUPPORT)},
			{Name: "packets by their type", NoControl: "obsolete", Do: func(*field) error { return open(unix.AF_INET, unix.SOCK_PACKET, 0x300) }, Want: refused(unix.ESOCKTNOSUPPORT)},
			{Name: "generic netlink", Do: func(*field) error { return open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC) }, Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "device events", Do: func(*field) error { return open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT) }, Want: refused(unix.EPROTONOSUPPORT)},
		},
	}.run(t)
}
