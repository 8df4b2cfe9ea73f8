//go:build linux

package row

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/namespace"
)

// num is a number as an argument.
func num(n int) namespace.Arg { return namespace.N(n) }

// setup lays out the link of a plan; proc is a descriptor of the host's /proc, and
// nothing where no calls are made.
func setup(p enforce.LinkPlan, proc int) (link.Setup, error) {
	c := link.Config{Guest: p.Guest, Gateway: p.Gateway, Guest6: p.Guest6, Gateway6: p.Gateway6, Proc: proc}
	if p.Tun {
		return link.Tun(c)
	}
	return link.Veth(c)
}

// MakeLink adds the calls that make a sandbox's link and send its other end over the
// line; proc is a descriptor of the host's /proc.
//
// Security: it happens in the sandbox's own network namespace, before the
// capabilities that it takes are dropped. The program never has the other end: it is
// closed here, and every other descriptor once more before anything is executed.
func MakeLink(l *namespace.List, p *enforce.LinkPlan, proc, line int) error {
	if p == nil {
		return nil
	}
	return layLink(l, *p, proc, func(_ int, end namespace.Slot) {
		l.Send("hand over the link", line, end)
		l.Call("hand over the link", unix.SYS_CLOSE, namespace.Result(end))
	})
}

// LeaveLink is MakeLink for a process whose descriptors can be looked at: it leaves
// the other end at the numbers from first on, and answers how many there are.
func LeaveLink(l *namespace.List, p enforce.LinkPlan, proc, first int) (count int, err error) {
	err = layLink(l, p, proc, func(i int, end namespace.Slot) {
		l.Call("hand over the link", unix.SYS_DUP3, namespace.Result(end), num(first+i), num(unix.O_CLOEXEC))
		l.Call("hand over the link", unix.SYS_CLOSE, namespace.Result(end))
		count = i + 1
	})
	return count, err
}

// layLink adds the calls that make a link, and what hand adds for each of its other
// ends.
func layLink(l *namespace.List, p enforce.LinkPlan, proc int, hand func(i int, end namespace.Slot)) error {
	s, err := setup(p, proc)
	if err != nil {
		return err
	}
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
	for i, slot := range ends(s) {
		hand(i, slots[slot])
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

// TakeLink takes the ends of a link, each from next, and gives them to whoever is the
// network.
func TakeLink(p *enforce.LinkPlan, network enforce.Networker, next func() (int, error)) error {
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
		fd, err := next()
		if err != nil {
			_ = l.Close() // the launch has failed
			return fmt.Errorf("receive the link: %w", err)
		}
		*to[i] = os.NewFile(uintptr(fd), "link")
	}
	if err := network.Linked(l); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	return nil
}
