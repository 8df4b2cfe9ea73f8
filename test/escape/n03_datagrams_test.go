package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestN03Datagrams(t *testing.T) {
	to := func(f *field) *unix.SockaddrInet4 {
		return &unix.SockaddrInet4{Port: f.number("port"), Addr: [4]byte{127, 0, 0, 1}}
	}
	socket := func(kind, protocol int) (int, error) { return unix.Socket(unix.AF_INET, kind, protocol) }
	// In its own network a datagram may leave; it arrives nowhere. What counts is the host's server.
	sent := allowed("it is sent in a network of its own")
	attack{
		ID: "N3", Title: "reach the host without connect",
		Reference: "filters of connect(2) alone; Landlock knows TCP only (landrun)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.Values["port"] = freePort(t)
			f.listen(t, "tcp", "127.0.0.1:"+f.Values["port"])
			f.packets(t, "udp", "127.0.0.1:"+f.Values["port"])
		},
		Harm: reachedServer,
		Tries: []try{
			{Name: "sendto", Do: func(f *field) error {
				fd, err := socket(unix.SOCK_DGRAM, 0)
				if err != nil {
					return err
				}
				return unix.Sendto(fd, []byte("x"), 0, to(f))
			}, Want: sent},
			{Name: "sendmsg", Do: func(f *field) error {
				fd, err := socket(unix.SOCK_DGRAM, 0)
				if err != nil {
					return err
				}
				return unix.Sendmsg(fd, []byte("x"), nil, to(f), 0)
			}, Want: sent},
			{Name: "sendmmsg", Do: func(f *field) error {
				fd, err := socket(unix.SOCK_DGRAM, 0)
				if err != nil {
					return err
				}
				port := uint16(f.number("port"))
				name := &unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port<<8 | port>>8, Addr: [4]byte{127, 0, 0, 1}}
				data := []byte("x")
				iov := &unix.Iovec{Base: &data[0], Len: 1}
				message := &struct {
					head unix.Msghdr
					n    uint32
					_    uint32
				}{}
				address(iov)
				message.head.Iov, message.head.Iovlen = iov, 1
				message.head.Name, message.head.Namelen = (*byte)(pointer(name)), unix.SizeofSockaddrInet4
				_, err = raw(unix.SYS_SENDMMSG, uintptr(fd), address(message), 1, 0)
				return err
			}, Want: sent},
			{Name: "TCP fast open", Do: func(f *field) error {
				fd, err := socket(unix.SOCK_STREAM, 0)
				if err != nil {
					return err
				}
				return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, to(f))
			}, Want: refused(unix.ECONNREFUSED)},
			{Name: "MPTCP", NoControl: "not in every kernel", Do: func(f *field) error {
				return connect(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, to(f))
			}, Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "SCTP", NoControl: "not in every kernel", Do: func(f *field) error {
				return connect(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, to(f))
			}, Want: refused(unix.EPROTONOSUPPORT)},
			{Name: "UDP-Lite", NoControl: "not in every kernel", Do: func(f *field) error {
				return connect(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE, to(f))
			}, Want: refused(unix.EPROTONOSUPPORT)},
		},
	}.run(t)
}
