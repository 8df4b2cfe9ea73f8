package inside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Dialer makes connections inside a sandbox, to servers there. It is safe for
// concurrent use.
//
// A socket belongs to the namespace that it was made in, and accept(2) makes
// one there too. Of two sockets that were made inside, one listens for a moment
// and the other connects to it; the accepted one, disconnected again, is a new
// socket of the sandbox, to be used as any other.
type Dialer struct {
	mu     sync.Mutex
	v4, v6 seeds // guarded by mu
}

type seeds struct{ listen, connect int }

// NewDialer takes over sockets of the namespace that are not connected: two for
// IPv4 and two for IPv6, or -1.
func NewDialer(fds [4]int) *Dialer {
	return &Dialer{v4: seeds{fds[0], fds[1]}, v6: seeds{fds[2], fds[3]}}
}

// Close gives the descriptors back.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, fd := range []int{d.v4.listen, d.v4.connect, d.v6.listen, d.v6.connect} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	d.v4, d.v6 = seeds{-1, -1}, seeds{-1, -1}
	return errors.Join(errs...)
}

// Dial connects to a port of the sandbox's loopback, of IPv4 or else of IPv6:
// programs listen on either.
func (d *Dialer) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	c, err := d.dial(ctx, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	if err == nil {
		return c, nil
	}
	if c, err6 := d.dial(ctx, netip.AddrPortFrom(netip.IPv6Loopback(), port)); err6 == nil {
		return c, nil
	}
	return nil, err
}

func (d *Dialer) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	fd, err := d.socket(to.Addr().Is6())
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), to.String())
	defer f.Close() // the connection has a copy
	if err := connect(ctx, f, to); err != nil {
		return nil, fmt.Errorf("connect to the sandbox's port %d: %w", to.Port(), err)
	}
	return net.FileConn(f)
}

// connect waits for the connection on the runtime's poller.
func connect(ctx context.Context, f *os.File, to netip.AddrPort) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var started bool
	var result error
	err = raw.Write(func(fd uintptr) bool {
		if !started {
			started = true
			result = unix.Connect(int(fd), sockaddr(to))
			return !errors.Is(result, unix.EINPROGRESS)
		}
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if result = err; err != nil {
			return true
		}
		if errno != 0 {
			result = unix.Errno(errno)
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil // or it was woken too early
	})
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return result
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// socket makes a socket in the namespace.
func (d *Dialer) socket(v6 bool) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, loopback := d.v4, netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if v6 {
		s, loopback = d.v6, netip.IPv6Loopback()
	}
	if s.listen < 0 || s.connect < 0 {
		return -1, errors.New("no sockets of the sandbox for this kind of address")
	}
	fd, err := s.mint(loopback)
	if err != nil {
		return -1, fmt.Errorf("make a socket in the sandbox: %w", err)
	}
	return fd, nil
}

// mintTries bounds how often somebody else's connection may be in the way.
const mintTries = 16

// mint makes one socket. The sandbox may connect to the listener too: what comes
// from elsewhere than the other seed is closed.
func (s seeds) mint(loopback netip.Addr) (fd int, err error) {
	if err := unix.Bind(s.listen, sockaddr(netip.AddrPortFrom(loopback, 0))); err != nil && !errors.Is(err, unix.EINVAL) {
		return -1, err // EINVAL: it has an address from the last time
	}
	if err := unix.Listen(s.listen, mintTries); err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, disconnect(s.listen), disconnect(s.connect)) }()
	at, err := unix.Getsockname(s.listen)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(s.connect, at); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, err
	}
	ours, err := unix.Getsockname(s.connect)
	if err != nil {
		return -1, err
	}
	for range mintTries {
		p := []unix.PollFd{{Fd: int32(s.listen), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, 1000); err != nil && !errors.Is(err, unix.EINTR) {
			return -1, err
		}
		fd, from, err := unix.Accept4(s.listen, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != nil {
			return -1, err
		}
		if port(from) == port(ours) {
			return fd, disconnect(fd)
		}
		_ = unix.Close(fd)
	}
	return -1, errors.New("others were always faster")
}

func port(a unix.Sockaddr) int {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	default:
		return -1
	}
}
