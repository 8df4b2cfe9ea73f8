//go:build linux

package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// headStart is how long an address is tried before the next one is tried beside
// it (RFC 8305, section 5).
const headStart = 250 * time.Millisecond

// dial connects to the first of some addresses that answers.
func dial(ctx context.Context, network string, addrs []netip.Addr, port uint16) (net.Conn, error) {
	if len(addrs) == 1 {
		return (&net.Dialer{}).DialContext(ctx, network, netip.AddrPortFrom(addrs[0], port).String())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	try := func(a netip.Addr) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, netip.AddrPortFrom(a, port).String())
		results <- result{c, err}
	}
	var (
		won     net.Conn
		errs    []error
		running int
		timer   = time.NewTimer(0)
	)
	defer timer.Stop()
	for len(addrs) > 0 || running > 0 {
		next := timer.C
		if len(addrs) == 0 || won != nil {
			next = nil
		}
		if won != nil && running == 0 {
			break
		}
		select {
		case <-next:
			go try(addrs[0])
			addrs = addrs[1:]
			running++
			timer.Reset(headStart)
		case r := <-results:
			running--
			switch {
			case r.err != nil && won == nil:
				errs = append(errs, r.err)
				timer.Reset(0)
			case r.err == nil && won == nil:
				won = r.conn
				cancel() // the others
			case r.err == nil:
				_ = r.conn.Close() // it came second
			}
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, errors.Join(errs...)
}
