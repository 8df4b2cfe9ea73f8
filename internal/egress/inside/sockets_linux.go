package inside

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Sockets answers which sockets a sandbox has. It is safe for concurrent use.
type Sockets struct {
	mu  sync.Mutex
	fd  int    // guarded by mu; -1 once closed
	seq uint32 // guarded by mu
}

// OpenSockets takes over a NETLINK_SOCK_DIAG socket of the sandbox's namespace.
func OpenSockets(fd int) (*Sockets, error) {
	wait := unix.Timeval{Sec: 2} // the kernel answers while it is asked
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return nil, fmt.Errorf("take over the socket that tells of sockets: %w", err)
	}
	return &Sockets{fd: fd}, nil
}

// Close gives the descriptor back.
func (s *Sockets) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}

// Sizes and numbers of linux/inet_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	requestSize      = 56 // struct inet_diag_req_v2
	answerSize       = 72 // struct inet_diag_msg
	tcpSynSent       = 2  // include/net/tcp_states.h
)

var errClosed = errors.New("the namespace is gone")

// Find looks up the socket of a flow.
func (s *Sockets) Find(f Flow) (Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return Socket{}, errClosed
	}
	s.seq++
	if err := unix.Sendto(s.fd, f.request(s.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Socket{}, fmt.Errorf("look up a socket: %w", err)
	}
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return Socket{}, fmt.Errorf("look up a socket: %w", err)
		}
		if found, done, err := answer(buf[:n], s.seq); done {
			return found, err
		}
	}
}

// request is one exact lookup.
func (f Flow) request(seq uint32) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+requestSize)
	ne, be := binary.NativeEndian, binary.BigEndian
	ne.PutUint32(b[0:], uint32(len(b)))
	ne.PutUint16(b[4:], sockDiagByFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(b[8:], seq)
	r := b[unix.NLMSG_HDRLEN:]
	r[0], r[1] = unix.AF_INET, unix.IPPROTO_TCP
	from, to := f.From, f.To
	if f.UDP {
		// The kernel looks a UDP socket up as it would for a packet that comes
		// in: the source is the other end (net/ipv4/udp_diag.c).
		r[1], from, to = unix.IPPROTO_UDP, to, from
	}
	if from.Addr().Is6() {
		r[0] = unix.AF_INET6
	}
	ne.PutUint32(r[4:], ^uint32(0)) // in every state
	be.PutUint16(r[8:], from.Port())
	be.PutUint16(r[10:], to.Port())
	copy(r[12:28], from.Addr().AsSlice())
	copy(r[28:44], to.Addr().AsSlice())
	ne.PutUint64(r[48:], ^uint64(0)) // whatever its cookie
	return b
}

// answer reads one message. It is not done with one to an earlier question.
func answer(b []byte, seq uint32) (s Socket, done bool, err error) {
	ne := binary.NativeEndian
	if len(b) < unix.NLMSG_HDRLEN+4 || ne.Uint32(b[8:]) != seq {
		return Socket{}, false, nil
	}
	body := b[unix.NLMSG_HDRLEN:]
	if ne.Uint16(b[4:]) == unix.NLMSG_ERROR {
		if errno := unix.Errno(-int32(ne.Uint32(body))); errno != unix.ENOENT {
			return Socket{}, true, fmt.Errorf("look up a socket: %w", errno)
		}
		return Socket{}, true, nil
	}
	if len(body) < answerSize {
		return Socket{}, true, errors.New("look up a socket: a short answer")
	}
	return Socket{Connecting: body[1] == tcpSynSent, UID: ne.Uint32(body[64:]), Inode: ne.Uint32(body[68:])}, true, nil
}
