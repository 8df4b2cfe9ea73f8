package name

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// Bounds of the name server over TCP. A stub resolver needs one connection, and
// that for a moment.
const (
	maxStreams  = 32
	streamQuiet = 5 * time.Second
)

// ServePackets answers the datagrams of c until that is closed. What takes a
// lookup is answered by goroutines of its own, some at a time: beyond these the
// question is lost, and asked again.
func (s *Server) ServePackets(c net.PacketConn) {
	var open sync.WaitGroup
	defer open.Wait()
	places := make(chan struct{}, maxLookups)
	answer := func(query []byte, from net.Addr) {
		if reply := s.Answer(query); reply != nil {
			_, _ = c.WriteTo(fit(query, reply), from) // who does not take an answer asks again
		}
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if !s.slow(buf[:n]) {
			answer(buf[:n], from)
			continue
		}
		query := bytes.Clone(buf[:n])
		select {
		case places <- struct{}{}:
			open.Go(func() {
				defer func() { <-places }()
				answer(query, from)
			})
		default:
		}
	}
}

// ServeStreams answers the connections to l until that is closed, and ends with
// the last of them.
func (s *Server) ServeStreams(l net.Listener) {
	var (
		open  sync.WaitGroup
		mu    sync.Mutex
		conns = map[net.Conn]struct{}{}
	)
	defer open.Wait()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			_ = c.Close()
		}
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		mu.Lock()
		full := len(conns) >= maxStreams
		if !full {
			conns[c] = struct{}{}
		}
		mu.Unlock()
		if full {
			_ = c.Close()
			continue
		}
		open.Go(func() {
			s.serveStream(c)
			_ = c.Close()
			mu.Lock()
			defer mu.Unlock()
			delete(conns, c)
		})
	}
}

// serveStream answers the queries of one connection, each after its length in
// two bytes (RFC 1035, section 4.2.2).
func (s *Server) serveStream(c net.Conn) {
	for {
		if c.SetDeadline(time.Now().Add(streamQuiet)) != nil {
			return
		}
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := s.Answer(query)
		if reply == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
