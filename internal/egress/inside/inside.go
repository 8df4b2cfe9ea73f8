// Package inside is what a plane can do in the network namespace of its sandbox,
// through descriptors that were made there: look up which sockets the sandbox
// has, and make sockets of its own. No code runs inside and no namespace is
// entered, which would take privileges; sockets belong to the namespace that
// they were made in, whoever holds them.
//
// The package decides nothing. What it says about programs is for people: a
// process can change what it runs between two looks.
package inside

import "net/netip"

// A Flow is a connection or an exchange of datagrams, seen from the sandbox.
type Flow struct {
	UDP      bool
	From, To netip.AddrPort
}

// A Socket is what the kernel says of one. The zero Socket is one that is not
// there.
type Socket struct {
	Connecting bool // TCP: the program still waits for its connection
	UID        uint32
	Inode      uint32
}

// Program is the process that has a socket.
type Program struct {
	Name string `json:"name"` // as the process calls itself
	PID  int    `json:"pid"`  // as the host sees it
}
