package request

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// idleConn is a connection that lies on a shelf. It counts that it was closed.
type idleConn struct {
	net.Conn
	closed *atomic.Int32
}

func (idleConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:443"))
}

func (c idleConn) Close() error {
	c.closed.Add(1)
	return nil
}

// TestShelfBounds: no more lie on a shelf than may, none for longer, and none once it
// is closed.
func TestShelfBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shelf
		var closed atomic.Int32
		put := func(want bool) {
			t.Helper()
			if got := s.put(s.now(), Destination{Host: "far.test"}, idleConn{closed: &closed}); got != want {
				t.Errorf("taken %v, want %v", got, want)
			}
		}
		wants := func(want int32) {
			t.Helper()
			synctest.Wait()
			if got := closed.Load(); got != want {
				t.Errorf("%d were closed, want %d", got, want)
			}
		}
		for range maxShelved + 3 {
			put(true)
		}
		wants(3)
		time.Sleep(shelfTime / 2)
		put(true)
		wants(4)
		time.Sleep(shelfTime/2 + time.Second)
		wants(3 + maxShelved)
		time.Sleep(shelfTime / 2)
		wants(4 + maxShelved)
		put(true)
		turn := s.now()
		s.clear()
		wants(5 + maxShelved)
		if s.put(turn, Destination{}, idleConn{closed: &closed}) {
			t.Error("it took one that was begun before all was closed")
		}
		put(true)
		s.close()
		wants(6 + maxShelved)
		put(false)
	})
}
