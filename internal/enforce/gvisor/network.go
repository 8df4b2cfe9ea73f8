//go:build linux

package gvisor

import (
	"errors"
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
// Security: it happens in the outer network namespace, of which the sentry uses
// the sockets. Neither it nor the program has the other end: every descriptor
// above 3 is closed before the agent is executed.
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

// ends are the slots of what is handed over, in order; the last two only where
// the host has IPv6.
func ends(s link.Setup) []int {
	all := append([]int{s.Link, s.Diag}, s.Seeds[:]...)
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return all[:4]
	}
	_ = unix.Close(fd) // nothing was done with it
	return all
}

// takeLink takes the ends of the link off the line and gives them to whoever is
// the network. They were sent before the agent was executed.
func (s *session) takeLink(n enforce.Networker) error {
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
		fd, err := descriptor(s.line)
		if err != nil {
			_ = l.Close() // the launch has failed
			return fmt.Errorf("receive the link: %w", err)
		}
		*to[i] = os.NewFile(uintptr(fd), "link")
	}
	if err := n.Linked(l); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	return nil
}

// descriptor takes a message that carries one off a line that blocks.
func descriptor(line int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(line, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, err
		}
		if n == 0 {
			return -1, errors.New("the agent ended without a word")
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return -1, err
		}
		for _, m := range messages {
			if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
				return fds[0], nil
			}
		}
		return -1, errors.New("a message without a descriptor")
	}
}
