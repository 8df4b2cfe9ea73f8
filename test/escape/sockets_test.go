package escape_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen has a server of the host answer each client with the token. How many
// came is in the field's count.
func (f *field) listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.came.Add(1)
			go func() {
				_, _ = c.Write([]byte(f.token + "\n"))
				if half, ok := c.(interface{ CloseWrite() error }); ok {
					_ = half.CloseWrite() // what the client says is read, or the kernel resets
				}
				_ = c.SetReadDeadline(time.Now().Add(longest)) // or until the test ends
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return l
}

// packets counts datagrams.
func (f *field) packets(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for {
			if _, _, err := c.ReadFrom(make([]byte, 64)); err != nil {
				return
			}
			f.came.Add(1)
		}
	}()
	return c
}

// reachedServer says whether a server of the host was reached.
func reachedServer(f *field) string {
	time.Sleep(20 * time.Millisecond) // a datagram may be on its way
	if n := f.came.Load(); n > 0 {
		return "a server of the host was reached"
	}
	return ""
}

// dialTime is how long an attempt waits for a connection or an answer that it should
// have: refusals come at once, and who waits that long has hung.
const dialTime = longest / 2

// dial connects and reads.
func (f *field) dial(network, address string) error {
	c, err := net.DialTimeout(network, address, dialTime)
	if err != nil {
		return err
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	f.note.Write(buf[:n])
	return err
}

// connect is dial without Go's own ways.
func connect(family, kind, protocol int, to unix.Sockaddr) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("x"))
	return err
}

type counter = atomic.Int64

// ownSocket makes a server and connects to it.
func ownSocket(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("own"))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 3))
	return err
}

type rawConn = syscall.RawConn

// background is for attempts, which no test waits for.
var background = context.Background()

// freePort is a port of the host that nobody has, and that nobody is given before
// it is used: it lies beneath those that who names none gets (ip_local_port_range).
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := itoa(10_000 + rand.N(20_000))
		l, err := net.Listen("tcp4", "127.0.0.1:"+port)
		if err == nil && l.Close() == nil {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
