package microvm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// waiting bounds the bytes of frames that wait for a guest which does not read.
// What comes beyond is lost, and its TCP repeats.
const waiting = 4 << 20

// carrier passes frames between the guest's link, which is a stream of the
// channel, and whoever is the network.
//
// Security: a frame is not looked into here. Its length is checked, and it goes on
// as one message; the machine's process has no network at all.
type carrier struct {
	ours    *os.File // its other end is the network's
	stream  *channel.Stream
	queue   chan []byte
	waiting atomic.Int64 // bytes in queue
	passing sync.WaitGroup
	once    sync.Once
}

// attach gives the other end of the guest's link to the network.
func (s *session) attach(network enforce.Networker) error {
	if s.plan.Link == nil {
		return nil
	}
	ours, theirs, err := frameSocket()
	if err != nil {
		return err
	}
	st, err := s.channel.Stream(channel.Request{Op: channel.OpFrames})
	if err != nil {
		return errors.Join(err, ours.Close(), theirs.Close())
	}
	s.carrier = &carrier{ours: ours, stream: st, queue: make(chan []byte, waiting/1024)}
	s.carrier.passing.Go(s.carrier.up)
	s.carrier.passing.Go(s.carrier.take)
	s.carrier.passing.Go(s.carrier.down)
	if err := network.Linked(&enforce.Ends{Frames: theirs, Header: true, MTU: link.MTU}); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	return nil
}

// frameSocket makes the two ends of a link: one message is one frame.
func frameSocket() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	for _, fd := range fds {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, waiting) // as much as may be had
	}
	return os.NewFile(uintptr(fds[0]), "link"), os.NewFile(uintptr(fds[1]), "link"), nil
}

// up passes what the guest sends. The network takes it in its time.
func (c *carrier) up() {
	defer c.cut()
	from := channel.NewFrameReader(c.stream.Conn())
	for {
		frame, err := from.Next()
		if err != nil {
			return
		}
		if _, err := c.ours.Write(frame); err != nil {
			return // the network has ended, and ends the session
		}
	}
}

// take takes what the network sends, which waits for nobody.
func (c *carrier) take() {
	defer close(c.queue)
	b := make([]byte, channel.LargestFrame)
	for {
		n, err := c.ours.Read(b)
		if n == 0 || err != nil {
			return
		}
		if c.waiting.Load()+int64(n) > waiting {
			continue
		}
		select {
		case c.queue <- channel.AppendFrame(nil, b[:n]):
			c.waiting.Add(int64(n))
		default:
		}
	}
}

// down passes what was taken, as many frames at once as there are.
func (c *carrier) down() {
	defer c.cut()
	for frame := range c.queue {
		all := net.Buffers{frame}
	more:
		for len(all) < 16 {
			select {
			case next, ok := <-c.queue:
				if !ok {
					break more
				}
				all = append(all, next)
			default:
				break more
			}
		}
		var size int64
		for _, f := range all {
			size += int64(len(f)) - 4
		}
		if _, err := all.WriteTo(c.stream.Conn()); err != nil {
			break
		}
		c.waiting.Add(-size)
	}
	for range c.queue { // nobody takes it any more
	}
}

// cut ends the link for both.
func (c *carrier) cut() {
	c.once.Do(func() {
		_ = errors.Join(c.stream.Close(), c.ours.Close()) // who sends more is told
	})
}

// end ends the link, when what came has been passed.
func (c *carrier) end() {
	if c == nil {
		return
	}
	_ = c.stream.Conn().SetReadDeadline(time.Now()) // what came is read in spite of it
	_ = c.ours.SetWriteDeadline(time.Now().Add(time.Second))
	c.passing.Wait()
}
