package link

import "net/netip"

// MTU of the link: as large as a packet may be, in whole pages of payload. Each
// frame is a copy and a wake-up, so few large ones are what makes a link fast.
const MTU = 65520

// Config says what the link looks like from inside.
type Config struct {
	Guest, Gateway   netip.Prefix // IPv4: the sandbox's address and, in the same network, the plane's
	Guest6, Gateway6 netip.Prefix // IPv6
	Proc             int          // descriptor of a /proc directory
}

// A Setup is a row of calls, and which of their results are the descriptors.
type Setup struct {
	Calls []Call
	Slots int // number of slots that the calls use

	Link   int    // slot of the plane's end
	Diag   int    // slot of a socket that answers which sockets the sandbox has
	Seeds  [4]int // slots of unconnected TCP sockets of the namespace: two for IPv4, two for IPv6
	Header bool   // a virtio_net header goes before each frame
	Frames bool   // the frames are Ethernet's, to and from the fixed addresses below
}

// A Call is one system call, or with Equal a comparison of memory.
type Call struct {
	What string // in errors, as in "make the link"
	Nr   uintptr
	Args []Arg
	Keep int  // slot for the result, -1: none
	May  bool // it may fail
	// Equal compares what an earlier call wrote with what it must have written.
	Equal *Equal
}

// Equal is a comparison of two pieces of memory of one length.
type Equal struct{ Got, Want []byte }

// An Arg is a number, the address of Bytes, or the result in slot Slot-1.
type Arg struct {
	Number int
	Bytes  []byte
	Slot   int
}

// Link addresses of the two ends. The sandbox's interface sends to its own
// address (it has no ARP), so that the kernel's own end, which has another one,
// takes its frames for somebody else's and drops them.
var (
	GuestMAC = [6]byte{2, 0, 0, 0, 0, 2}
	PlaneMAC = [6]byte{2, 0, 0, 0, 0, 1}
)

// row builds a Setup.
type row struct{ s Setup }

func num(n int) Arg     { return Arg{Number: n} }
func mem(b []byte) Arg  { return Arg{Bytes: b} }
func slot(i int) Arg    { return Arg{Slot: i + 1} }
func text(s string) Arg { return mem(append([]byte(s), 0)) }

func (r *row) call(what string, nr uintptr, args ...Arg) *Call {
	r.s.Calls = append(r.s.Calls, Call{What: what, Nr: nr, Args: args, Keep: -1})
	return &r.s.Calls[len(r.s.Calls)-1]
}

// keep has the last call's result kept, and returns the slot.
func (r *row) keep() int {
	i := r.s.Slots
	r.s.Slots++
	r.s.Calls[len(r.s.Calls)-1].Keep = i
	return i
}

func (r *row) equal(what string, got, want []byte) {
	r.s.Calls = append(r.s.Calls, Call{What: what, Keep: -1, Equal: &Equal{got, want}})
}
