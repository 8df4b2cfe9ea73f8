package escape_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestN01DirectConnect(t *testing.T) {
	attack{
		ID: "N1, N5", Title: "connect directly to a service of the host's loopback",
		Reference: "fence 0.1.5 leaves the host's loopback reachable; proxies by environment alone",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			l := f.listen(t, "tcp", "127.0.0.1:0")
			_, f.Values["port"], _ = net.SplitHostPort(l.Addr().String())
			f.Values["addr"] = l.Addr().String()
			f.env = []string{"HTTP_PROXY=", "http_proxy=", "ALL_PROXY="}
		},
		Harm: reachedServer,
		Tries: []try{
			{Name: "socket", Do: func(f *field) error { return f.dial("tcp", f.Values["addr"]) }, Want: refused(unix.ECONNREFUSED, unix.ENETUNREACH, unix.EACCES)},
			{Name: "curl --noproxy", Sh: "curl -s --http0.9 --noproxy '*' --max-time 60 http://127.0.0.1:$PORT/", Want: refused()},
			{Name: "/dev/tcp", Sh: "bash -c 'read x < /dev/tcp/127.0.0.1/'$PORT", Want: refused()},
			{Name: "python", Sh: "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", '$PORT'), 60).recv(9)'", Want: refused()},
		},
	}.run(t)
}

// An address that no host has: the way out is closed at once, not by waiting.
func TestN01NoWayOut(t *testing.T) {
	attack{
		ID: "N1", Title: "connect to the outside",
		Reference: "a denial that hangs for seconds (greywall, 4 s)",
		Tiers:     process,
		Tries: []try{
			{Name: "IPv4", NoControl: "the host may have no network", Do: func(f *field) error { return f.dial("tcp4", "192.0.2.1:443") }, Want: refused(unix.ENETUNREACH)},
			{Name: "IPv6", NoControl: "the host may have no network", Do: func(f *field) error { return f.dial("tcp6", "[2001:db8::1]:443") }, Want: refused(unix.ENETUNREACH, unix.EADDRNOTAVAIL)},
			{Name: "metadata", NoControl: "the host may have none", Do: func(f *field) error { return f.dial("tcp4", "169.254.169.254:80") }, Want: refused(unix.ENETUNREACH)},
			{Name: "multicast", NoControl: "the host may have no network", Do: func(*field) error {
				return connect(unix.AF_INET, unix.SOCK_DGRAM, 0, &unix.SockaddrInet4{Addr: [4]byte{224, 0, 0, 251}, Port: 5353})
			}, Want: refused(unix.ENETUNREACH)},
			{Name: "broadcast", NoControl: "the host may have no network", Do: func(*field) error {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
				if err != nil {
					return err
				}
				_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
				return unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Addr: [4]byte{255, 255, 255, 255}, Port: 9})
			}, Want: refused(unix.ENETUNREACH, unix.EACCES)},
			{Name: "a name", NoControl: "the host may have no network", Sh: "getent hosts example.com", Want: refused()},
		},
	}.run(t)
}
