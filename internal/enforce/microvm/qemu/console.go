package qemu

import (
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// keptConsole is how much of the end of a console is kept.
const keptConsole = 64 << 10

// console reads what the guest and QEMU write, always: QEMU blocks when nobody
// does.
type console struct {
	c    *net.UnixConn
	done chan struct{}

	mu   sync.Mutex
	text []byte // guarded by mu
}

func newConsole(c *net.UnixConn) *console { return &console{c: c, done: make(chan struct{})} }

func (c *console) drain() {
	defer close(c.done)
	b := make([]byte, 4096)
	for {
		n, err := c.c.Read(b)
		c.mu.Lock()
		c.text = append(c.text, b[:n]...)
		c.text = c.text[max(0, len(c.text)-keptConsole):]
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *console) tail() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.text...)
}

func (c *console) close() {
	_ = c.c.Close() // nothing was written
	<-c.done
}

// pair makes a connected pair of sockets; the second is for QEMU.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	our, their := os.NewFile(uintptr(fds[0]), "to QEMU"), os.NewFile(uintptr(fds[1]), "QEMU's")
	defer our.Close()
	conn, err := net.FileConn(our)
	if err == nil {
		if c, ok := conn.(*net.UnixConn); ok {
			return c, their, nil
		}
	}
	_ = their.Close() // nothing was written
	return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
}
