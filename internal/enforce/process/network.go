//go:build linux

package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/namespace"
)

// setup lays out the link of a plan.
func setup(p enforce.LinkPlan, proc int) (link.Setup, error) {
	c := link.Config{Guest: p.Guest, Gateway: p.Gateway, Guest6: p.Guest6, Gateway6: p.Gateway6, Proc: proc}
	if p.Tun {
		return link.Tun(c)
	}
	return link.Veth(c)
}

// makeLink adds the calls that make the sandbox's link and hand its other end
// over.
//
// Security: it happens in the sandbox's own network namespace, before the
// capabilities that it takes are dropped. The program never has the other end:
// it is closed here, and every descriptor above 3 once more before init is
// executed.
func (b *builder) makeLink() error {
	if b.plan.Link == nil {
		return nil
	}
	s, err := setup(*b.plan.Link, b.proc)
	if err != nil {
		return err
	}
	l := b.list
	slots := make([]namespace.Slot, s.Slots)
	for i := range slots {
		slots[i] = l.NewSlot()
	}
	for _, c := range s.Calls {
		if c.Equal != nil {
			l.Equal(c.What, c.Equal.Got, c.Equal.Want)
			continue
		}
		args := make([]namespace.Arg, len(c.Args))
		for i, a := range c.Args {
			switch {
			case a.Slot > 0:
				args[i] = namespace.Result(slots[a.Slot-1])
			case a.Bytes != nil:
				args[i] = l.Bytes(a.Bytes)
			default:
				args[i] = num(a.Number)
			}
		}
		step := l.Call(c.What, c.Nr, args...)
		if c.Keep >= 0 {
			step = step.Keep(slots[c.Keep])
		}
		if c.May {
			step.May()
		}
	}
	for _, slot := range ends(s) {
		l.Send("hand over the link", b.child, slots[slot])
		l.Call("hand over the link", unix.SYS_CLOSE, namespace.Result(slots[slot]))
	}
	return nil
}

// ends are the slots of what is handed over, in order. Where a host has no IPv6
// there is nothing in the last two; nobody knows that beforehand, so they are
// handed over only where it has.
func ends(s link.Setup) []int {
	all := append([]int{s.Link, s.Diag}, s.Seeds[:]...)
	if !hasIPv6() {
		all = all[:4]
	}
	return all
}

func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	return unix.Close(fd) == nil
}

// takeLink takes the ends of the link off the line and gives them to whoever is
// the network.
func (s *session) takeLink() error {
	p := s.plan.Link
	if p == nil {
		return nil
	}
	set, err := setup(*p, 0)
	if err != nil {
		return err
	}
	l := &enforce.Ends{Header: set.Header, Ether: set.Frames, MTU: link.MTU, Guest: link.GuestMAC[:]}
	to := []**os.File{&l.Frames, &l.Diag, &l.Seeds[0], &l.Seeds[1], &l.Seeds[2], &l.Seeds[3]}
	for i := range ends(set) {
		fd, err := s.line.descriptor()
		if err != nil {
			_ = l.Close() // the launch has failed
			return fmt.Errorf("receive the link: %w", err)
		}
		*to[i] = os.NewFile(uintptr(fd), "link")
	}
	if err := s.network.Linked(l); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	return nil
}
