package escape_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// N6: a port of the host can be had inside, and is another port there.
func TestN06PortsOfTheHost(t *testing.T) {
	attack{
		ID: "N6", Title: "take a port of the host, or share one that is in use",
		Reference: "SO_REUSEPORT theft of connections by the same user",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			config := net.ListenConfig{Control: func(_, _ string, c rawConn) error {
				return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
			}}
			l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			_, f.Values["port"], _ = net.SplitHostPort(l.Addr().String())
		},
		Tries: []try{
			{Name: "a port in use", NoControl: "it is in use", Slow: "it clients itself", Do: func(f *field) error { return serveItself("127.0.0.1:" + f.Values["port"]) },
				Want: allowed("the port is one of its own network")},
			{Name: "all addresses", NoControl: "it would open a port of the host", Slow: "it clients itself", Do: func(*field) error { return serveItself("0.0.0.0:8080") },
				Want: allowed("there is no address but its own")},
			{Name: "share", Slow: "it waits for clients", Do: func(f *field) error {
				config := net.ListenConfig{Control: func(_, _ string, c rawConn) error {
					return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
				}}
				l, err := config.Listen(background, "tcp", "127.0.0.1:"+f.Values["port"])
				if err != nil {
					return err
				}
				_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(f.raceTime()))
				if !f.Inside {
					go func() {
						for range 64 {
							if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
								_ = c.Close()
							}
						}
					}()
				}
				if _, err := l.Accept(); err != nil {
					return unix.EAGAIN
				}
				return nil
			}, Want: refused(unix.EAGAIN)},
			{Name: "a port below 1024", NoControl: "it would open a port of the host", Do: func(*field) error {
				l, err := net.Listen("tcp", "127.0.0.1:80")
				if err == nil {
					_ = l.Close()
				}
				return err
			}, Want: refused(unix.EACCES)},
		},
	}.run(t)
}

// serveItself makes a server and is its client.
func serveItself(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("own"))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 3))
	return err
}
