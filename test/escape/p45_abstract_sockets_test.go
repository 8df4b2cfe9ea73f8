package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP45AbstractSockets(t *testing.T) {
	no := refused(unix.ECONNREFUSED, unix.EPERM)
	send := func(kind int, how func(fd int, to unix.Sockaddr) error) func(f *field) error {
		return func(f *field) error {
			fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
			if err != nil {
				return err
			}
			name := "@ambit-stream-" + f.Values["name"]
			if kind == unix.SOCK_DGRAM {
				name = "@ambit-packet-" + f.Values["name"]
			}
			return how(fd, &unix.SockaddrUnix{Name: name})
		}
	}
	// P45 and N10: the names belong to the network namespace.
	attack{
		ID: "P45, N10", Title: "connect to abstract sockets of the host",
		Reference: "CVE-2020-15257 (containerd-shim); X11 and D-Bus listen on such names",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.Values["name"] = f.mark
			f.listen(t, "unix", "@ambit-stream-"+f.mark)
			f.packets(t, "unixgram", "@ambit-packet-"+f.mark)
		},
		Harm: reachedServer,
		Tries: []try{
			{Name: "stream", Do: func(f *field) error { return f.dial("unix", "@ambit-stream-"+f.Values["name"]) }, Want: no},
			{Name: "connect, datagram", Do: send(unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error {
				if err := unix.Connect(fd, to); err != nil {
					return err
				}
				_, err := unix.Write(fd, []byte("x"))
				return err
			}), Want: no},
			{Name: "sendto", Do: send(unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, []byte("x"), 0, to) }), Want: no},
			{Name: "sendmsg", Do: send(unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendmsg(fd, []byte("x"), nil, to, 0) }), Want: no},
		},
	}.run(t)
}
