package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// queueSize is how many frames wait for a guest that reads slowly.
const queueSize = 512

// streamPort speaks QEMU's "-netdev stream": each frame after its length in four
// bytes, most significant first.
type streamPort struct {
	conn  net.Conn
	max   uint32 // size of a frame
	queue chan []byte
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

// Stream makes a link of a connection that carries Ethernet frames, each after
// its length. It takes the connection over.
func Stream(c net.Conn, o Options) *Link {
	o.Ethernet, o.Header = true, false
	p := &streamPort{
		conn: c, max: o.MTU + header.EthernetMinimumSize + 4, // a VLAN tag
		queue: make(chan []byte, queueSize), stop: make(chan struct{}),
	}
	p.wg.Go(p.write)
	return newLink(o, p)
}

func (p *streamPort) close() error {
	var err error
	p.once.Do(func() {
		close(p.stop)
		err = p.conn.Close()
	})
	p.wg.Wait()
	return err
}

// receive ends the link when a length makes no sense: the framing is lost then.
func (p *streamPort) receive(take func(*stack.PacketBuffer)) error {
	r := bufio.NewReaderSize(p.conn, 128<<10)
	for {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return streamError(err)
		}
		n := binary.BigEndian.Uint32(size[:])
		if n < header.EthernetMinimumSize || n > p.max {
			return fmt.Errorf("a frame of %d bytes", n)
		}
		v := buffer.NewViewSize(int(n))
		if _, err := io.ReadFull(r, v.AsSlice()); err != nil {
			v.Release()
			return streamError(err)
		}
		take(stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)}))
	}
}

func (p *streamPort) send(pkts []*stack.PacketBuffer) (sent int) {
	for _, pkt := range pkts {
		b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+pkt.Size()), uint32(pkt.Size()))
		for _, s := range pkt.AsSlices() {
			b = append(b, s...)
		}
		select {
		case p.queue <- b:
			sent++
		default:
		}
	}
	return sent
}

// write sends what is queued, many frames at once.
func (p *streamPort) write() {
	for {
		var frames net.Buffers
		select {
		case <-p.stop:
			return
		case b := <-p.queue:
			frames = append(frames, b)
		}
	more:
		for len(frames) < 64 {
			select {
			case b := <-p.queue:
				frames = append(frames, b)
			default:
				break more
			}
		}
		if _, err := frames.WriteTo(p.conn); err != nil {
			_ = p.conn.Close() // the reader ends too, and says so
			return
		}
	}
}

func streamError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrClosed
	}
	return err
}

// ErrClosed says that whoever had the other end of a link has closed it.
var ErrClosed = errors.New("the other end has closed the link")
