//go:build linux

package link

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ends are the descriptors that a Setup made, for the plane.
type Ends struct {
	Link, Diag int
	Seeds      [4]int // -1 where there is no IPv6
}

// Run runs the row in the calling thread's namespaces, whose new network
// namespace the caller has capabilities in.
func (s Setup) Run() (Ends, error) {
	slots := make([]int, s.Slots)
	for i := range slots {
		slots[i] = -1
	}
	for _, c := range s.Calls {
		if c.Equal != nil {
			if !bytes.Equal(c.Equal.Got, c.Equal.Want) {
				closeAll(slots)
				return Ends{}, c.Failed(0)
			}
			continue
		}
		var a [6]uintptr
		for i, arg := range c.Args {
			switch {
			case arg.Slot > 0:
				a[i] = uintptr(slots[arg.Slot-1])
			case arg.Bytes != nil:
				a[i] = uintptr(unsafe.Pointer(unsafe.SliceData(arg.Bytes)))
			default:
				a[i] = uintptr(arg.Number)
			}
		}
		r, _, errno := unix.Syscall6(c.Nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if errno != 0 && !c.May {
			closeAll(slots)
			return Ends{}, c.Failed(errno)
		}
		if c.Nr == unix.SYS_CLOSE {
			slots[c.Args[0].Slot-1] = -1
		}
		if c.Keep >= 0 && errno == 0 {
			slots[c.Keep] = int(r)
		}
	}
	e := Ends{Link: slots[s.Link], Diag: slots[s.Diag]}
	for i, from := range s.Seeds {
		e.Seeds[i] = slots[from]
	}
	return e, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing was written to any of them
		}
	}
}

// Failed says in words that the call did not do what it must. errno is what it
// returned, if it returned one.
func (c Call) Failed(errno unix.Errno) error {
	if c.Equal != nil {
		errno = ackErrno(c.Equal.Got)
	}
	if errno == 0 {
		return fmt.Errorf("%s: it did not do what it must", c.What)
	}
	return fmt.Errorf("%s: %w", c.What, errno)
}
